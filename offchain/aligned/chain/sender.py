"""The one place that sends transactions.

A request has a key. Its first signed form is in the database before anything is broadcast, with the nonce that makes
it unique on chain; a second form has the same nonce. So whatever is sent again after a crash can be mined once only.
A request moves to a new nonce only when a transaction that is not ours has used up the old one, deeper than the
confirmations; `done` then says whether the wish came true by other means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog
from eth_account.signers.local import LocalAccount

from aligned.chain.broadcast import Broadcaster, refuse_unfunded
from aligned.chain.client import ChainClient
from aligned.chain.errors import TX_TIMEOUT, TxReverted
from aligned.chain.fees import Caps
from aligned.chain.identity import check_identity
from aligned.chain.journal import Attempt, Journal, Request
from aligned.chain.kzg import hashes_of
from aligned.chain.outcome import Receipt, check_same, outcome_of
from aligned.chain.rpc import RpcError
from aligned.chain.simulation import simulate
from aligned.chain.types import ChainReceipt
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Database

__all__ = ["Done", "Receipt", "TxSender"]

Done = Callable[[], Awaitable[bool]]
# A settled transaction is looked up again only while a reorganisation can still remove it.
_FINAL_BLOCKS = 64
# How long a node may know a nonce as used and have no receipt yet.
_RECEIPT_LAG_S = 2.0
_DEFAULT_CAPS = Caps.from_gwei(500, 500)

_log = structlog.get_logger(__name__)


class TxSender:
    """Sends for one account. Several instances (also in several processes) over one database may share an account.

    Args:
        confirmations: blocks that must hold a transaction (1: mined is enough).
        bump_after_s: how long a form may wait before the fees are raised.
        caps: most that is ever offered.
        poll_s: pause between looks at the chain.
        on_step: called after "simulated", "journaled", "broadcast", "raised", "mined", "settled".
    """

    def __init__(
        self,
        db: Database,
        client: ChainClient,
        account: LocalAccount,
        *,
        confirmations: int = 1,
        bump_after_s: float = 30.0,
        caps: Caps = _DEFAULT_CAPS,
        poll_s: float = 0.5,
        on_step: Callable[[str], None] | None = None,
    ) -> None:
        self._db = db
        self._client = client
        self._confirmations = confirmations
        self._bump_after_s = bump_after_s
        self._poll_s = poll_s
        self._identified = False
        self._on_step = on_step or (lambda _step: None)
        self._journal = Journal(client.chain_id, bytes.fromhex(account.address[2:]))
        self._broadcaster = Broadcaster(db, client, account, self._journal, caps, bump_after_s, self._on_step)
        self.address = bytes.fromhex(account.address[2:])

    async def send(
        self,
        key: str,
        to: bytes,
        data: bytes = b"",
        value: int = 0,
        gas: int | None = None,
        done: Done | None = None,
        timeout_s: float = 600.0,
        blobs: Sequence[bytes] = (),
    ) -> Receipt:
        """Gets the call mined once, whatever happens in between; the same key again returns the same result.

        Args:
            key: names the wish, not the transaction: for instance "respond:<batch id>".
            to: 20 bytes.
            value: in wei.
            gas: limit; estimated when None.
            done: whether what the call is for is already so on chain.
            timeout_s: how long to wait; the request stays, and the same key goes on with it.
            blobs: up to 6, of 131,072 bytes; an account that sends blobs should send nothing else.

        Raises:
            TxReverted: refused in simulation (nothing sent, the key is free again) or on chain.
            ConflictError: tx_key_reused, the key was used for another call.
            PaymentError: insufficient_funds.
            InvariantError: database_of_another_chain.
            DependencyError: tx_timeout; also a node or database that fails before the request is journaled, and
                fees_above_cap for a blob transaction that is not begun yet.
        """
        wanted = await asyncio.to_thread(_request, key, to, data, value, gas or 0, tuple(blobs))
        try:
            async with asyncio.timeout(timeout_s):
                return await self._run(wanted, done)
        except TimeoutError as error:
            raise DependencyError(TX_TIMEOUT, f"{key} not settled after {timeout_s} s") from error

    async def pending_elsewhere(self, key: str) -> bytes | None:
        """Another account (20 bytes) over this database whose transaction for `key` may still be mined."""
        async with self._db.transaction() as conn:
            return await self._journal.pending_elsewhere(conn, key)

    async def forget(self, key: str) -> None:
        """Drops blobs and signed bytes of a request that can no longer leave the chain."""
        async with self._db.transaction() as conn:
            await self._journal.forget_bytes(conn, key)

    async def _run(self, wanted: Request, done: Done | None) -> Receipt:
        async with self._db.transaction() as conn:
            if not self._identified:
                await check_identity(conn, self._client)
                self._identified = True
            request = await self._journal.load(conn, wanted.key)
        if request is None:
            request = await self._start(wanted, done)
        elif request.state == "superseded" and done is not None and not await done():
            request = await self._restart(request, wanted)
        check_same(request, wanted)
        return await self._settle(request, done)

    async def _settle(self, request: Request, done: Done | None) -> Receipt:
        """Looks at the chain until the request is settled and stays so; a failing node is waited out."""
        while True:
            try:
                if request.state == "pending":
                    request = await self._advance(request, done)
                if request.state != "pending":
                    if await self._is_final(request):
                        return outcome_of(request)
                    request = await self._advance(request, done)
            except DependencyError as error:
                _log.warning("sender_waits", key=request.key, code=error.code, error=error.message)
            await asyncio.sleep(self._poll_s)

    async def _start(self, wanted: Request, done: Done | None) -> Request:
        """Journals the first signed form and broadcasts it, unless there is nothing left to do."""
        if done is not None and await done():
            return await self._give_up(wanted)
        try:
            gas_limit = await self._simulate(wanted)
        except RpcError as error:
            refuse_unfunded(error, self.address)
            raise
        except TxReverted:
            if done is not None and await done():
                return await self._give_up(wanted)
            raise
        self._on_step("simulated")
        request, attempt = await self._broadcaster.open(wanted, gas_limit)
        self._on_step("journaled")
        if attempt is not None:
            await self._broadcaster.broadcast(attempt)
        return request

    async def _restart(self, request: Request, wanted: Request) -> Request:
        """What made the request needless is gone from the chain."""
        check_same(request, wanted)
        gas_limit = await self._simulate(request)
        await self._broadcaster.broadcast(await self._broadcaster.move(replace(request, gas_limit=gas_limit)))
        return await self._reload(request)

    async def _simulate(self, wanted: Request) -> int:
        offer = await self._broadcaster.offer(wanted) if wanted.blobs else None
        return await simulate(self._client, self.address, wanted, offer)

    async def _give_up(self, wanted: Request) -> Request:
        async with self._db.transaction() as conn:
            await self._journal.lock(conn)
            known = await self._journal.load(conn, wanted.key)
            if known is None:
                await self._journal.insert(conn, wanted)
                await self._journal.set_state(conn, wanted.key, "superseded")
        return await self._reload(wanted)

    async def _advance(self, request: Request, done: Done | None) -> Request:
        """One look at the chain, and what follows from it."""
        async with self._db.transaction() as conn:
            attempts = await self._journal.attempts(conn, request.key)
        for attempt in attempts:
            receipt = await self._client.get_receipt(attempt.tx_hash)
            if receipt is not None:
                return await self._on_receipt(request, attempt, receipt, done)
        if request.state != "pending":
            _log.warning("transaction_reorganised_away", key=request.key)
            await self._set_state(request, "pending")
        await self._on_silence(request, attempts, done)
        return await self._reload(request)

    async def _on_receipt(
        self, request: Request, attempt: Attempt, receipt: ChainReceipt, done: Done | None
    ) -> Request:
        if not await self._is_confirmed(receipt):
            return request
        self._on_step("mined")
        if attempt.is_cancel:
            await self._set_state(request, "superseded", receipt)
        elif receipt.succeeded:
            await self._set_state(request, "mined", receipt)
        elif done is not None and await done():
            await self._set_state(request, "superseded", receipt)
        else:
            await self._set_state(request, "reverted", receipt, await self._why(request, receipt))
        self._on_step("settled")
        return await self._reload(request)

    async def _on_silence(self, request: Request, attempts: list[Attempt], done: Done | None) -> None:
        """None of our forms is mined: lost nonce, lost transaction, or too low fees."""
        last = attempts[0]
        head = await self._client.block_number()
        deep = max(0, head - self._confirmations + 1)
        if await self._client.nonce(self.address, deep) > last.nonce:
            await self._on_lost_nonce(request, attempts, done)
        elif last.age_s >= self._bump_after_s:
            cancel = done is not None and await done()
            await self._broadcaster.push(request, cancel=cancel or last.is_cancel)
        elif await self._client.get_transaction(last.tx_hash) is None:
            await self._broadcaster.broadcast(last)

    async def _on_lost_nonce(self, request: Request, attempts: list[Attempt], done: Done | None) -> None:
        # Ours may have been mined between the two questions, and a node may count a transaction whose block it still
        # makes, before there is a receipt; only a second look without one counts.
        await asyncio.sleep(_RECEIPT_LAG_S)
        for attempt in attempts:
            if await self._client.get_receipt(attempt.tx_hash) is not None:
                return
        if attempts[0].is_cancel or (done is not None and await done()):
            await self._set_state(request, "superseded")
            return
        _log.warning("nonce_lost", key=request.key, nonce=attempts[0].nonce)
        await self._broadcaster.broadcast(await self._broadcaster.move(request))

    async def _is_confirmed(self, receipt: ChainReceipt) -> bool:
        if await self._client.block_number() < receipt.block_number + self._confirmations - 1:
            return False
        block = await self._client.get_block(receipt.block_number)
        return block is not None and block.hash == receipt.block_hash

    async def _is_final(self, request: Request) -> bool:
        """Whether a settled request is still so on chain (asked only while it can change)."""
        if request.receipt is None:
            return True
        if await self._client.block_number() > request.receipt.block_number + _FINAL_BLOCKS:
            return True
        found = await self._client.get_receipt(request.receipt.tx_hash)
        return found is not None and found.block_hash == request.receipt.block_hash

    async def _why(self, request: Request, receipt: ChainReceipt) -> str:
        """Replays the call on the state that it met, as far as blocks allow."""
        try:
            await self._client.eth_call(
                request.to,
                request.data,
                sender=self.address,
                value_wei=request.value_wei,
                block=max(0, receipt.block_number - 1),
            )
        except TxReverted as error:
            return error.reason
        return "reverted on chain, passes when replayed (out of gas, or a race in its block)"

    async def _set_state(
        self, request: Request, state: str, receipt: ChainReceipt | None = None, error: str | None = None
    ) -> None:
        async with self._db.transaction() as conn:
            await self._journal.set_state(conn, request.key, state, receipt, error)

    async def _reload(self, request: Request) -> Request:
        async with self._db.transaction() as conn:
            return await self._journal.load(conn, request.key) or request


def _request(
    key: str, to: bytes, data: bytes, value_wei: int, gas_limit: int, blobs: tuple[bytes, ...]
) -> Request:
    return Request(key, to, data, value_wei, gas_limit, "pending", blobs=blobs, blob_hashes=hashes_of(blobs))
