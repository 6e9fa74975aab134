"""Follows a request on chain until it is settled: receipts, reorganisations, lost nonces, too low fees."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from aligned.chain.broadcast import Broadcaster
from aligned.chain.client import ChainClient
from aligned.chain.errors import FEES_ABOVE_CAP
from aligned.chain.evidence import is_confirmed, is_final, transaction_at, why_reverted
from aligned.chain.journal import Journal
from aligned.chain.journal_rows import Attempt, Request
from aligned.chain.outcome import Receipt, outcome_of
from aligned.chain.types import ChainReceipt
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Database

Done = Callable[[], Awaitable[bool]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How deep a transaction must be, when its fees are raised, and how often the chain is looked at."""

    confirmations: int
    bump_after_s: float
    poll_s: float


class Tracker:
    """Brings pending requests to their end. Only the sender uses it; any number may follow one request."""

    def __init__(
        self,
        *,
        db: Database,
        client: ChainClient,
        address: bytes,
        journal: Journal,
        broadcaster: Broadcaster,
        pace: Pace,
        on_step: Callable[[str], None],
    ) -> None:
        self._db = db
        self._client = client
        self._address = address
        self._journal = journal
        self._broadcaster = broadcaster
        self._pace = pace
        self._on_step = on_step

    async def settle(self, request: Request, done: Done | None) -> Receipt:
        """Looks at the chain until the request is settled and stays so; a failing node is waited out."""
        while True:
            try:
                if request.state == "pending":
                    request = await self._advance(request, done)
                if request.state != "pending":
                    if await is_final(self._client, request):
                        return outcome_of(request)
                    request = await self._advance(request, done)
            except DependencyError as error:
                _log.warning("sender_waits", key=request.key, code=error.code, error=error.message)
            await asyncio.sleep(self._pace.poll_s)

    async def _advance(self, request: Request, done: Done | None) -> Request:
        """One look at the chain, and what follows from it."""
        async with self._db.transaction() as conn:
            attempts = await self._journal.attempts(conn, request.key)
        for attempt in attempts:
            if attempt.is_cancel and attempt.nonce != request.nonce:
                continue  # it made an earlier nonce harmless, and says nothing about this one
            receipt = await self._client.get_receipt(attempt.tx_hash)
            if receipt is not None:
                return await self._on_receipt(request, attempt, receipt, done)
        if not attempts:
            return await self.reload(request)  # cancelled, and another sender of the key goes on with it
        if request.state != "pending":
            _log.warning("transaction_reorganised_away", key=request.key)
            await self._set_state(request, "pending")
        await self._on_silence(request, attempts, done)
        return await self.reload(request)

    async def _on_receipt(
        self, request: Request, attempt: Attempt, receipt: ChainReceipt, done: Done | None
    ) -> Request:
        if not await is_confirmed(self._client, receipt, self._pace.confirmations):
            return request
        self._on_step("mined")
        if attempt.is_cancel:
            await self._set_state(request, await self._without_it(request, done), receipt)
        elif receipt.succeeded:
            await self._set_state(request, "mined", receipt)
        elif done is not None and await done():
            await self._set_state(request, "superseded", receipt)
        else:
            await self._set_state(
                request,
                "reverted",
                receipt,
                await why_reverted(self._client, self._address, request, receipt),
            )
        self._on_step("settled")
        return await self.reload(request)

    async def _on_silence(self, request: Request, attempts: list[Attempt], done: Done | None) -> None:
        """None of our forms is mined: lost nonce, lost transaction, or too low fees."""
        last = attempts[0]
        head = await self._client.block_number()
        deep = max(0, head - self._pace.confirmations + 1)
        if await self._client.nonce(self._address, deep) > last.nonce:
            await self._on_lost_nonce(request, attempts, done, deep)
        elif last.age_s >= self._pace.bump_after_s:
            cancel = done is not None and await done()
            await self._broadcaster.push(request, cancel=cancel or last.is_cancel)
        elif await self._client.get_transaction(last.tx_hash) is None:
            await self._broadcaster.broadcast(last)

    async def _on_lost_nonce(
        self, request: Request, attempts: list[Attempt], done: Done | None, deep: int
    ) -> None:
        """The chain has a transaction of our account at our nonce, as deep as the confirmations."""
        used_by = await transaction_at(self._client, self._address, attempts[0].nonce, deep)
        if used_by is None or any(attempt.tx_hash == used_by for attempt in attempts):
            # Ours: its receipt comes late. Unclear: a second transaction would be worse than waiting.
            _log.info("nonce_used", key=request.key, nonce=attempts[0].nonce, tx_hash=used_by)
            return
        request = await self.reload(request)
        if attempts[0].is_cancel or request.gave_up or (done is not None and await done()):
            await self._set_state(request, await self._without_it(request, done))
            return
        _log.warning("nonce_lost", key=request.key, nonce=attempts[0].nonce)
        try:
            await self._broadcaster.broadcast(await self._broadcaster.move(request))
        except DependencyError as error:
            if error.code != FEES_ABOVE_CAP or request.limit.give_up_after_s is None:
                raise
            # Nothing of ours can be mined any more, so there is nothing to cancel.
            async with self._db.transaction() as conn:
                await self._journal.give_up(conn, request.key)
                await self._journal.set_state(conn, request.key, "cancelled")

    async def _without_it(self, request: Request, done: Done | None) -> str:
        """The state of a request whose nonce was used up by something else."""
        current = await self.reload(request)
        if current.gave_up and (done is None or not await done()):
            return "cancelled"
        return "superseded"

    async def _set_state(
        self, request: Request, state: str, receipt: ChainReceipt | None = None, error: str | None = None
    ) -> None:
        async with self._db.transaction() as conn:
            await self._journal.set_state(conn, request.key, state, receipt, error)

    async def reload(self, request: Request) -> Request:
        """The request as the journal has it now."""
        async with self._db.transaction() as conn:
            return await self._journal.load(conn, request.key) or request
