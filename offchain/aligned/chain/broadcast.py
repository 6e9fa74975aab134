"""Signs and broadcasts: nonces, fee bumps, cancels and fillers. Only the sender uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog
from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient, hex_bytes
from aligned.chain.errors import FEES_ABOVE_CAP, INSUFFICIENT_FUNDS
from aligned.chain.fees import Caps, Fees, Limit, Prices, bumped, market_fees, too_dear
from aligned.chain.journal import Journal
from aligned.chain.journal_rows import Attempt, Request
from aligned.chain.kzg import Sidecar, sidecar_of
from aligned.chain.prices import read_prices
from aligned.chain.rpc import RpcError
from aligned.chain.signing import sign
from aligned.core.errors import DependencyError, InvariantError, PaymentError
from aligned.storage.postgres import Connection, Database

_TRANSFER_GAS = 21_000
# A wider gap means a database of another chain; filling it would only burn money.
_MAX_FILLERS = 16

_log = structlog.get_logger(__name__)


class Broadcaster:
    """Writes signed forms to the journal, then to the network."""

    def __init__(
        self,
        db: Database,
        client: ChainClient,
        account: LocalAccount,
        journal: Journal,
        caps: Caps,
        bump_after_s: float,
        on_step: Callable[[str], None],
    ) -> None:
        self._db = db
        self._client = client
        self._account = account
        self._address = bytes.fromhex(account.address[2:])
        self._journal = journal
        self._caps = caps
        self._bump_after_s = bump_after_s
        self._on_step = on_step

    async def open(self, wanted: Request, gas_limit: int) -> tuple[Request, Attempt | None]:
        """Journals a new request with its first form; (the known request, None) if another process was faster."""
        await _make_sidecar(wanted)
        fees = await self.offer(wanted)
        async with self._db.transaction() as conn:
            await self._journal.lock(conn)
            known = await self._journal.load(conn, wanted.key)
            if known is not None:
                return known, None
            request = replace(wanted, gas_limit=gas_limit, nonce=await self._free_nonce(conn))
            await self._journal.insert(conn, request)
            return request, await self._add(conn, request, 1, fees, cancel=False)

    async def move(self, request: Request) -> Attempt:
        """Opens a request again at a new nonce, its old one being used up."""
        await _make_sidecar(request)
        fees = await self.offer(request)
        async with self._db.transaction() as conn:
            await self._journal.lock(conn)
            current = await self._journal.load(conn, request.key)
            attempts = await self._journal.attempts(conn, request.key)
            if attempts and (
                current is None or (current.nonce, current.state) != (request.nonce, request.state)
            ):
                return attempts[0]
            moved = replace(request, nonce=await self._free_nonce(conn))
            await self._journal.reopen(conn, moved.key, _nonce(moved), moved.gas_limit)
            return await self._add(conn, moved, len(attempts) + 1, fees, cancel=False)

    async def push(self, request: Request, *, cancel: bool) -> None:
        """Raises the fees of `request` and of everything that must be mined before it."""
        await _make_sidecar(request)
        chain_nonce = await self._client.nonce(self._address)
        async with self._db.transaction() as conn:
            await self._journal.lock(conn)
            await self._fill_gaps(conn, request, chain_nonce)
            waiting = await self._journal.from_nonce(conn, chain_nonce)
            forms = [
                await self._bump(conn, item, cancel=cancel and item.key == request.key)
                for item in waiting
                if _nonce(item) <= _nonce(request)
            ]
        self._on_step("raised")
        for form in forms:
            await self.broadcast(form)

    async def broadcast(self, attempt: Attempt) -> None:
        """Hands a journaled form to the network; what the chain makes of it is seen by its receipt only.

        Raises:
            PaymentError: insufficient_funds.
        """
        try:
            await self._client.send_raw(attempt.raw)
        except RpcError as error:
            refuse_unfunded(error, self._address)
            # "already known", "nonce too low" and "replacement underpriced" are normal after a restart or a race.
            _log.info("broadcast_refused", tx_hash=hex_bytes(attempt.tx_hash), reason=error.message)
        else:
            _log.info(
                "broadcast", tx_hash=hex_bytes(attempt.tx_hash), nonce=attempt.nonce, number=attempt.number
            )
        self._on_step("broadcast")

    async def _bump(self, conn: Connection, request: Request, *, cancel: bool) -> Attempt:
        last = (await self._journal.attempts(conn, request.key))[0]
        prices = await read_prices(self._client, with_blobs=bool(request.blobs))
        cancel = cancel or last.is_cancel or await self._is_hopeless(conn, request, prices)
        turns = cancel and not last.is_cancel
        if last.age_s < self._bump_after_s and not turns:
            return last
        # A cancel must be mined for the queue to go on, whatever the request was worth.
        caps = self._caps if cancel else request.limit.within(self._caps)
        fees = bumped(last.fees, market_fees(prices, caps), caps)
        if fees is None:
            _log.warning("fee_cap_reached", key=request.key, fees=last.fees, caps=caps)
            return last
        return await self._add(conn, request, last.number + 1, fees, cancel=cancel)

    async def _is_hopeless(self, conn: Connection, request: Request, prices: Prices) -> bool:
        """Whether the chain has been asking for too long for more than the request may offer."""
        if request.gave_up:
            return True
        if request.state != "pending" or request.limit.give_up_after_s is None:
            return False
        is_dear = too_dear(prices, request.limit.within(self._caps))
        if not await self._journal.set_dear(conn, request.key, is_dear=is_dear):
            return False
        _log.warning("given_up_for_fees", key=request.key, nonce=request.nonce, limit=request.limit)
        await self._journal.give_up(conn, request.key)
        return True

    async def _fill_gaps(self, conn: Connection, request: Request, chain_nonce: int) -> None:
        """Nonces below ours that nothing of ours will use: left by foreign transactions that vanished."""
        pending = await self._client.nonce(self._address, "pending")
        taken = {item.nonce for item in await self._journal.from_nonce(conn, chain_nonce)}
        gaps = [nonce for nonce in range(max(chain_nonce, pending), _nonce(request)) if nonce not in taken]
        if len(gaps) > _MAX_FILLERS:
            raise InvariantError(
                "nonce_gap", f"{len(gaps)} unused nonces below {request.nonce} of {request.key}"
            )
        for nonce in gaps:
            key = f"filler:{nonce}"
            filler = Request(key, self._address, b"", 0, _TRANSFER_GAS, "superseded", nonce)
            await self._journal.insert(conn, filler)
            await self._add(conn, filler, 1, await self.offer(filler), cancel=True)

    async def _free_nonce(self, conn: Connection) -> int:
        """Lowest nonce that neither the chain, nor the node's queue, nor the journal uses."""
        chain_nonce = await self._client.nonce(self._address)
        taken = {item.nonce for item in await self._journal.from_nonce(conn, chain_nonce)}
        nonce = max(chain_nonce, await self._client.nonce(self._address, "pending"))
        while nonce in taken:
            nonce += 1
        return nonce

    async def _add(
        self, conn: Connection, request: Request, number: int, fees: Fees, *, cancel: bool
    ) -> Attempt:
        # In a thread, because the sidecars of others that must be raised too may not be made yet.
        attempt = await asyncio.to_thread(self._sign, request, number, fees, cancel=cancel)
        await self._journal.add_attempt(conn, request.key, attempt)
        return attempt

    def _sign(self, request: Request, number: int, fees: Fees, *, cancel: bool) -> Attempt:
        to, data, value_wei = (
            (self._address, b"", 0) if cancel else (request.to, request.data, request.value_wei)
        )
        fields = {
            "chainId": self._client.chain_id,
            "nonce": _nonce(request),
            "to": to,
            "data": data,
            "value": value_wei,
            "gas": _TRANSFER_GAS if cancel else request.gas_limit,
            "maxFeePerGas": fees.max_fee_wei,
            "maxPriorityFeePerGas": fees.priority_fee_wei,
        }
        tx_hash, raw = sign(self._account, fields, fees, _sidecar(request, cancel=cancel))
        return Attempt(
            tx_hash=tx_hash,
            number=number,
            nonce=_nonce(request),
            is_cancel=cancel,
            raw=raw,
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
            blob_fee_wei=fees.blob_fee_wei,
        )

    async def offer(self, request: Request) -> Fees:
        """The market's offer, within what the request may offer.

        Raises:
            DependencyError: fees_above_cap.
        """
        return await self.offer_within(request.key, request.limit, with_blobs=bool(request.blobs))

    async def offer_within(self, key: str, limit: Limit, *, with_blobs: bool) -> Fees:
        """The same for a request that is not made yet.

        One that could not be mined is not begun where that was asked for, or where raising it costs double (blobs).

        Raises:
            DependencyError: fees_above_cap.
        """
        prices = await read_prices(self._client, with_blobs=with_blobs)
        caps = limit.within(self._caps)
        is_bounded = with_blobs or limit.max_fee_wei is not None
        if is_bounded and too_dear(prices, caps):
            _log.warning("waiting_for_lower_fees", key=key, prices=prices, caps=caps)
            raise DependencyError(FEES_ABOVE_CAP, f"{key}: {prices}, {caps}")
        return market_fees(prices, caps)


async def _make_sidecar(request: Request) -> None:
    """Has it cached before the account is locked: it takes long, and other senders of the account would wait."""
    if request.blobs:
        await asyncio.to_thread(sidecar_of, request.blobs)


def _sidecar(request: Request, *, cancel: bool) -> Sidecar | None:
    """A blob transaction is replaced by one with a blob only, so a cancel carries one too."""
    if not request.blobs:
        return None
    sidecar = sidecar_of(request.blobs)
    return sidecar.first() if cancel else sidecar


def refuse_unfunded(error: RpcError, account: bytes) -> None:
    """Raises PaymentError (insufficient_funds) if that is what the node means: waiting does not help then."""
    if "insufficient funds" in error.text:
        raise PaymentError(INSUFFICIENT_FUNDS, error.message, account=hex_bytes(account)) from error


def _nonce(request: Request) -> int:
    if request.nonce is None:
        raise InvariantError("request_without_nonce", request.key)
    return request.nonce
