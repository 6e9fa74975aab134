"""The latest prices and switches, refreshed all the time."""

from __future__ import annotations

import time
from collections.abc import Callable

from aligned.batcher.model import Market
from aligned.batcher.ports import TaskChain
from aligned.chain.rpc import HEAD_FROZEN
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError


class MarketFeed:
    """Keeps `Market` fresh, so that admission does not ask the chain for it each time.

    Args:
        max_age_s: how long ago the chain may have been asked.
        max_block_age_s: how old the block itself may be; None on a devnet that mines on demand.
        clock, wall_clock: monotonic and Unix seconds.
    """

    def __init__(
        self,
        chain: TaskChain,
        max_age_s: float,
        max_block_age_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._max_age_s = max_age_s
        self._max_block_age_s = max_block_age_s
        self._clock = clock
        self._wall_clock = wall_clock
        self._latest: Market | None = None
        self._read_at = 0.0

    async def refresh(self) -> bool:
        """Reads the chain once. Returns False: there is nothing to do at once again."""
        self._latest = await self._chain.market()
        self._read_at = self._clock()
        return False

    def latest_block(self) -> int:
        """The block of the latest prices, however old they are; 0 before the first."""
        return 0 if self._latest is None else self._latest.block

    def current(self) -> Market:
        """The latest prices.

        Raises:
            DependencyError: chain_unavailable, when they are too old to rely on; head_frozen, when they are of an old
                block: a node that lost its peers goes on answering.
        """
        age_s = self._clock() - self._read_at
        if self._latest is None or age_s > self._max_age_s:
            raise DependencyError(CHAIN_UNAVAILABLE, f"no fresh block for {self._max_age_s:g} s")
        self._check_block(self._latest)
        return self._latest

    def _check_block(self, market: Market) -> None:
        if self._max_block_age_s is None or market.timestamp_s is None:
            return
        age_s = self._wall_clock() - market.timestamp_s
        if age_s > self._max_block_age_s:
            text = f"the newest block {market.block} is {age_s:.0f} s old"
            raise DependencyError(HEAD_FROZEN, f"{text}, at most {self._max_block_age_s:g} s are expected")
