"""The one place that sends transactions.

A request has a key. Its first signed form is in the database before anything is broadcast, with the nonce that makes
it unique on chain; a second form has the same nonce. So whatever is sent again after a crash can be mined once only.
A request moves to a new nonce only when a transaction that is not ours has used up the old one, deeper than the
confirmations; `done` then says whether the wish came true by other means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from eth_account.signers.local import LocalAccount

from aligned.chain.broadcast import Broadcaster, refuse_unfunded
from aligned.chain.client import ChainClient
from aligned.chain.errors import FEES_ABOVE_CAP, TX_TIMEOUT, TxReverted
from aligned.chain.fees import Caps, Limit
from aligned.chain.identity import check_identity
from aligned.chain.journal import Journal
from aligned.chain.journal_rows import PendingStatus, Request, new_request
from aligned.chain.outcome import Receipt, check_same
from aligned.chain.rpc import RpcError
from aligned.chain.simulation import simulate
from aligned.chain.tracker import Done, Pace, Tracker
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Database
from aligned.watchdog import waiting

__all__ = ["Done", "Receipt", "TxSender"]

_DEFAULT_CAPS = Caps.from_gwei(500, 500)


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
        self._identified = False
        self._on_step = on_step or (lambda _step: None)
        self._journal = Journal(client.chain_id, bytes.fromhex(account.address[2:]))
        self._broadcaster = Broadcaster(db, client, account, self._journal, caps, bump_after_s, self._on_step)
        self.address = bytes.fromhex(account.address[2:])
        self._tracker = Tracker(
            db=db,
            client=client,
            address=self.address,
            journal=self._journal,
            broadcaster=self._broadcaster,
            pace=Pace(confirmations, bump_after_s, poll_s),
            on_step=self._on_step,
        )

    async def send(  # noqa: PLR0913 - each says one thing about one transaction
        self,
        key: str,
        to: bytes,
        data: bytes = b"",
        value: int = 0,
        gas: int | None = None,
        done: Done | None = None,
        timeout_s: float = 600.0,
        blobs: Sequence[bytes] = (),
        *,
        max_fee_wei: int | None = None,
        give_up_after_s: float | None = None,
        max_blob_fee_wei: int | None = None,
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
            max_fee_wei, max_blob_fee_wei: most that a form of it offers per gas and per blob gas, below the account's
                caps; another value for the same key holds for forms that are signed from then on.
            give_up_after_s: when the chain has asked for more than that for so long, an empty transfer to ourselves
                takes the nonce: 21,000 gas (and one blob) at the account's caps at most. None: all behind it wait.

        Raises:
            TxReverted: refused in simulation (nothing sent, the key is free again) or on chain.
            TxCancelled: given up, and the cancel is as deep as the confirmations; the key is free again. The
                transaction itself may still win against its cancel, and is then mined as if nothing had been.
            ConflictError: tx_key_reused, the key was used for another call.
            PaymentError: insufficient_funds.
            InvariantError: database_of_another_chain.
            DependencyError: tx_timeout; also a node or database that fails before the request is journaled, and
                fees_above_cap for a transaction with `max_fee_wei` or blobs that is not begun yet (nothing sent,
                the key is free).
        """
        limit = Limit(max_fee_wei, give_up_after_s, max_blob_fee_wei)
        wanted = await asyncio.to_thread(new_request, key, to, data, value, gas or 0, tuple(blobs), limit)
        try:
            # Whoever waits here for the chain is not stuck.
            with waiting(timeout_s):
                async with asyncio.timeout(timeout_s):
                    return await self._run(wanted, done)
        except TimeoutError as error:
            raise DependencyError(TX_TIMEOUT, f"{key} not settled after {timeout_s} s") from error

    async def refuse_dear(self, key: str, limit: Limit, *, with_blobs: bool) -> None:
        """Raises DependencyError (fees_above_cap) when `send` would not begin it at what the chain asks now."""
        await self._broadcaster.offer_within(key, limit, with_blobs=with_blobs)

    async def pending_elsewhere(self, key: str) -> bytes | None:
        """Another account (20 bytes) over this database whose transaction for `key` may still be mined."""
        async with self._db.transaction() as conn:
            return await self._journal.pending_elsewhere(conn, key)

    async def status(self) -> PendingStatus:
        """What is not settled yet, by the journal; asks no node."""
        async with self._db.transaction() as conn:
            return await self._journal.status(conn)

    async def balance_wei(self) -> int:
        """What the account has for gas."""
        return await self._client.balance(self.address)

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
        elif request.state == "cancelled":
            return await self._send_anew(request, wanted, done)
        elif request.state == "superseded" and done is not None and not await done():
            request = await self._restart(request, wanted)
        check_same(request, wanted)
        request = await self._with_limit(request, wanted.limit)
        return await self._tracker.settle(request, done)

    async def _send_anew(self, cancelled: Request, wanted: Request, done: Done | None) -> Receipt:
        """Frees the key for a new wish; while that may not be begun either, the outcome stays what it was."""
        try:
            await self._broadcaster.offer(wanted)
        except DependencyError as error:
            if error.code != FEES_ABOVE_CAP:
                raise
            return await self._tracker.settle(cancelled, done)
        async with self._db.transaction() as conn:
            # Or another process adds a form to the name that is gone.
            await self._journal.lock(conn)
            await self._journal.release(conn, wanted.key)
        return await self._run(wanted, done)

    async def _with_limit(self, request: Request, limit: Limit) -> Request:
        if request.limit == limit or request.gave_up:
            return request
        async with self._db.transaction() as conn:
            await self._journal.set_limit(conn, request.key, limit)
        return await self._tracker.reload(request)

    async def _start(self, wanted: Request, done: Done | None) -> Request:
        """Journals the first signed form and broadcasts it, unless there is nothing left to do."""
        if done is not None and await done():
            return await self._note_needless(wanted)
        try:
            gas_limit = await self._simulate(wanted)
        except RpcError as error:
            refuse_unfunded(error, self.address)
            raise
        except TxReverted:
            if done is not None and await done():
                return await self._note_needless(wanted)
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
        bounded = replace(request, gas_limit=gas_limit, limit=wanted.limit)
        await self._broadcaster.broadcast(await self._broadcaster.move(bounded))
        return await self._tracker.reload(request)

    async def _simulate(self, wanted: Request) -> int:
        offer = await self._broadcaster.offer(wanted) if wanted.blobs else None
        return await simulate(self._client, self.address, wanted, offer)

    async def _note_needless(self, wanted: Request) -> Request:
        async with self._db.transaction() as conn:
            await self._journal.lock(conn)
            known = await self._journal.load(conn, wanted.key)
            if known is None:
                await self._journal.insert(conn, wanted)
                await self._journal.set_state(conn, wanted.key, "superseded")
        return await self._tracker.reload(wanted)
