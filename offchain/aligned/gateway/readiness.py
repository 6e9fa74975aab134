"""Whether the gateway can do its work: what it depends on, and whether payments are still seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
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
        self._chain_error: DependencyError | None = None

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
        error = await self._look_at_chain()
        if error is not None and error.code not in _HARMLESS:
            raise error
        behind_s = await self._check_payments(read, is_chain_there=error is None)
        return {"chain": "ok" if error is None else error.code} | behind_s

    async def _look_at_chain(self) -> DependencyError | None:
        async with self._lock:
            if time.monotonic() - self._looked_at >= _CHAIN_AGE_S:
                self._chain_error = await self._ask_chain()
                self._looked_at = time.monotonic()
        return self._chain_error

    async def _ask_chain(self) -> DependencyError | None:
        try:
            async with asyncio.timeout(_CHAIN_TIMEOUT_S):
                await self._chain.check_head()
        except DependencyError as error:
            return error
        except TimeoutError:
            return DependencyError("timeout", f"the chain says nothing for {_CHAIN_TIMEOUT_S:g} s")
        return None

    async def _check_payments(
        self, read: accounts.PaymentsRead | None, *, is_chain_there: bool
    ) -> dict[str, object]:
        """How old the last block is whose payments are known, as far as that can be told."""
        if self._max_behind_s is None:
            return {}
        if read is None:
            raise DependencyError(PAYMENTS_BEHIND, "no payments poller has begun: start one on this database")
        behind_s = read.idle_s
        if is_chain_there and (block := await self._chain.get_block(max(0, read.next_block - 1))):
            behind_s = max(0.0, self._clock() - block.timestamp)
        if behind_s > self._max_behind_s:
            raise DependencyError(
                PAYMENTS_BEHIND,
                f"payments are read to a block {behind_s:.0f} s old, at most {self._max_behind_s:.0f} s are expected: "
                "look at the payments poller",
            )
        return {"payments_behind_s": int(behind_s)}
