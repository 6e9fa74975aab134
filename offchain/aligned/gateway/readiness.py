"""Whether the gateway can do its work: what it depends on, and whether payments are still seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aligned.chain.client import ChainClient
from aligned.core.errors import DependencyError, ProtocolError
from aligned.gateway.admission import Stores
from aligned.storage.aggregation import accounts
from aligned.verifiers.pool import VerifierPool

PAYMENTS_BEHIND: Final = "payments_behind"
_NO_OBJECT = "readiness"
# Anybody may ask whether we are ready; the chain is asked no more often than this.
_CHAIN_AGE_S = 5.0
_CHAIN_TIMEOUT_S = 3.0
# Without the chain proofs are taken all the same, for what is known to be paid.
_HARMLESS = frozenset({"chain_unavailable", "timeout"})


@dataclass(frozen=True, slots=True)
class _Chain:
    """What was seen of the chain.

    Attributes:
        error: why it cannot be asked.
        read_to_s: Unix time of the last block whose payments are known; None if that is not known.
    """

    error: DependencyError | None
    read_to_s: int | None


class Readiness:
    """Looks at verifiers, database, object store, chain, and how far payments were read.

    Args:
        max_behind_s: payments of blocks so old must have been read; None on a chain that mines on demand.
        clock: Unix seconds.
    """

    def __init__(
        self,
        stores: Stores,
        pool: VerifierPool,
        chain: ChainClient,
        max_behind_s: float | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stores = stores
        self._pool = pool
        self._chain = chain
        self._max_behind_s = max_behind_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looked_at = -_CHAIN_AGE_S
        self._seen = _Chain(None, None)

    async def check(self) -> dict[str, object]:
        """What to say beside "ready".

        Raises:
            DependencyError: database_unavailable, store_unavailable, wrong_chain, head_frozen, payments_behind.
        """
        self._pool.check()
        async with self._stores.db.transaction() as conn:
            read = await accounts.payments_read(conn)
        with suppress(ProtocolError):  # it answers: there is no such object
            await self._stores.objects.get(_NO_OBJECT, 0)
        seen = await self._look_at_chain(read)
        if seen.error is not None and seen.error.code not in _HARMLESS:
            raise seen.error
        behind_s = self._check_payments(read, seen.read_to_s)
        return {"chain": "ok" if seen.error is None else seen.error.code} | behind_s

    async def _look_at_chain(self, read: accounts.PaymentsRead | None) -> _Chain:
        async with self._lock:
            if time.monotonic() - self._looked_at >= _CHAIN_AGE_S:
                self._seen = await self._ask_chain(read)
                self._looked_at = time.monotonic()
        return self._seen

    async def _ask_chain(self, read: accounts.PaymentsRead | None) -> _Chain:
        try:
            async with asyncio.timeout(_CHAIN_TIMEOUT_S):
                await self._chain.check_head()
                if read is None or self._max_behind_s is None:
                    return _Chain(None, None)
                block = await self._chain.get_block(max(0, read.next_block - 1))
        except DependencyError as error:
            return _Chain(error, None)
        except TimeoutError:
            text = f"the chain says nothing for {_CHAIN_TIMEOUT_S:g} s"
            return _Chain(DependencyError("timeout", text), None)
        return _Chain(None, None if block is None else block.timestamp)

    def _check_payments(self, read: accounts.PaymentsRead | None, read_to_s: int | None) -> dict[str, object]:
        """How old the last block is whose payments are known, as far as that can be told."""
        if self._max_behind_s is None:
            return {}
        if read is None:
            raise DependencyError(PAYMENTS_BEHIND, "no payments poller has begun: start one on this database")
        behind_s = read.idle_s if read_to_s is None else max(0.0, self._clock() - read_to_s)
        if behind_s > self._max_behind_s:
            raise DependencyError(
                PAYMENTS_BEHIND,
                f"payments are read to a block {behind_s:.0f} s old, at most {self._max_behind_s:.0f} s are expected: "
                "look at the payments poller",
            )
        return {"payments_behind_s": int(behind_s)}
