"""The latest prices and switches, refreshed all the time."""

from __future__ import annotations

import time
from collections.abc import Callable

from aligned.batcher.model import Market
from aligned.batcher.ports import TaskChain
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError


class MarketFeed:
    """Keeps `Market` fresh, so that admission does not ask the chain for it each time."""

    def __init__(
        self, chain: TaskChain, max_age_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._chain = chain
        self._max_age_s = max_age_s
        self._clock = clock
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
            DependencyError: chain_unavailable, when they are too old to rely on.
        """
        age_s = self._clock() - self._read_at
        if self._latest is None or age_s > self._max_age_s:
            raise DependencyError(CHAIN_UNAVAILABLE, f"no fresh block for {self._max_age_s:g} s")
        return self._latest
