"""Transactions of a user: simulated first, then sent once and awaited with a deadline.

Wallets of one account in one process take turns; between processes the node decides, and who lost reads the nonce
again.
A role that must survive a crash between sending and mining uses `chain.sender`, which keeps a journal.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient, hex_bytes
from aligned.chain.decoding import count, to_bytes
from aligned.chain.errors import INSUFFICIENT_FUNDS, TxReverted
from aligned.chain.rpc import RpcError
from aligned.chain.types import ChainReceipt
from aligned.core.errors import TIMEOUT, ConflictError, DependencyError, PaymentError
from aligned.sdk.turns import AccountTurns, account_turns

NONCE_TAKEN: Final = "nonce_taken"
DEFAULT_TIMEOUT_S = 120.0
_GAS_MARGIN_PERCENT = 120
# Two programs that send the same call with the same nonce would sign the same bytes, and both take the one receipt for
# their own. The limit costs nothing, what is not used is not paid.
_GAS_SPREAD = 1_000
_POLL_S = 0.25
# The same signed bytes again do no harm; a node that lost them, or never got them, has them then.
_SEND_AGAIN_S = 5.0
_MAX_CLASHES = 6
_CLASH_PAUSE_S = 0.2
# What nodes say when another transaction of the account has the nonce; wording differs by client.
_CLASH_WORDS = (
    "nonce too low",
    "nonce is too low",
    "oldnonce",
    "underpriced",
    "already exists",
    "could not replace",
    "replacement not allowed",
    "same nonce",
)
_KNOWN_WORDS = ("already known", "alreadyknown", "known transaction", "already imported")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A signed transaction that a node may have."""

    nonce: int
    raw: bytes
    tx_hash: bytes


class Wallet:
    """Sends transactions of one account, one at a time."""

    def __init__(self, chain: ChainClient, account: LocalAccount) -> None:
        self._chain = chain
        self._account = account
        self._turns: AccountTurns | None = None

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return bytes.fromhex(self._account.address[2:])

    async def send(
        self, to: bytes, data: bytes = b"", *, value_wei: int = 0, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ChainReceipt:
        """Sends and waits until it is mined.

        Raises:
            TxReverted: simulation or the mined transaction failed; the reason is decoded.
            PaymentError: insufficient_funds.
            ConflictError: nonce_taken: another program uses this account at the same time.
            DependencyError: chain_unavailable; timeout when it is not mined in time (it may still be, later).
        """
        try:
            gas = await self._chain.estimate_gas(to, data, sender=self.address, value_wei=value_wei)
        except RpcError as error:
            raise self._unfunded(error) or error from None
        return await self._send({"to": to, "data": data, "value": value_wei, "gas": gas}, timeout_s)

    async def deploy(self, creation: bytes, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bytes:
        """Creates a contract.

        Args:
            creation: creation bytecode with encoded constructor arguments.

        Returns:
            Its address, 20 bytes.

        Raises:
            AlignedError: as `send`.
        """
        request = {"from": hex_bytes(self.address), "data": hex_bytes(creation)}
        try:
            gas = await self._chain.rpc("eth_estimateGas", request, decode=count)
        except RpcError as error:
            raise self._unfunded(error) or error from None
        receipt = await self._send({"data": creation, "gas": gas}, timeout_s)
        return await self._chain.rpc(
            "eth_getTransactionReceipt",
            hex_bytes(receipt.tx_hash),
            decode=lambda item: to_bytes(item["contractAddress"]),
        )

    async def _send(self, transaction: dict[str, Any], timeout_s: float) -> ChainReceipt:
        deadline = time.monotonic() + timeout_s
        turns = await self._own_turns()
        async with turns.turn(timeout_s):
            sent = await self._broadcast(turns, transaction)
            turns.in_flight.add(sent.nonce)
        try:
            receipt = await self._mined(sent, deadline)
        finally:
            turns.in_flight.discard(sent.nonce)
        if receipt is None:
            raise await self._not_mined(sent, timeout_s)
        if not receipt.succeeded:
            raise TxReverted(f"transaction {hex_bytes(sent.tx_hash)} failed when mined", tx_hash=sent.tx_hash)
        return receipt

    async def _own_turns(self) -> AccountTurns:
        """Keyed by the first block too: a process may use two devnets that have the same chain id."""
        if self._turns is None:
            first = await self._chain.get_block(0)
            genesis = b"" if first is None else first.hash
            self._turns = account_turns("chain", self._chain.chain_id, genesis, self.address)
        return self._turns

    async def _broadcast(self, turns: AccountTurns, transaction: dict[str, Any]) -> _Sent:
        refusal = ""
        for attempt in range(_MAX_CLASHES):
            sent = await self._sign(transaction, await self._next_nonce(turns))
            try:
                await self._chain.send_raw(sent.raw)
            except RpcError as error:
                if any(words in error.text for words in _KNOWN_WORDS):
                    return sent
                if not any(words in error.text for words in _CLASH_WORDS):
                    raise self._unfunded(error) or error from None
                refusal = error.message
            except DependencyError:
                # Nobody knows whether a node has it: it is waited for, and sent again as it is.
                return sent
            else:
                return sent
            await asyncio.sleep(_CLASH_PAUSE_S * 2**attempt)
        text = (
            f"the node refused {_MAX_CLASHES} transactions of {self._account.address} one after another ({refusal});"
            " another program seems to use this account: wait for it, or use another account"
        )
        raise ConflictError(NONCE_TAKEN, text)

    async def _next_nonce(self, turns: AccountTurns) -> int:
        """By the node's count, but above what this process has sent: a node may lag behind another."""
        pending = await self._chain.nonce(self.address, "pending")
        return max([pending, *(nonce + 1 for nonce in tuple(turns.in_flight))])

    async def _sign(self, transaction: dict[str, Any], nonce: int) -> _Sent:
        tip = await self._chain.priority_fee()
        signed = self._account.sign_transaction(
            transaction
            | {
                "type": 2,
                "chainId": self._chain.chain_id,
                "nonce": nonce,
                "gas": transaction["gas"] * _GAS_MARGIN_PERCENT // 100 + secrets.randbelow(_GAS_SPREAD),
                "maxFeePerGas": 2 * await self._chain.base_fee() + tip,
                "maxPriorityFeePerGas": tip,
            }
        )
        return _Sent(nonce, bytes(signed.raw_transaction), bytes(signed.hash))

    async def _mined(self, sent: _Sent, deadline: float) -> ChainReceipt | None:
        """The receipt, None if there is none by the deadline. A node that fails is asked again."""
        send_again_at = time.monotonic() + _SEND_AGAIN_S
        while True:
            try:
                receipt = await self._chain.get_receipt(sent.tx_hash)
                if receipt is not None:
                    return receipt
                if time.monotonic() > send_again_at:
                    send_again_at = time.monotonic() + _SEND_AGAIN_S
                    await self._chain.send_raw(sent.raw)
            except DependencyError:
                pass  # a refusal of what the chain may have already, or a node that is away: the receipt decides
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(_POLL_S)

    async def _not_mined(self, sent: _Sent, timeout_s: float) -> Exception:
        tx_hash = hex_bytes(sent.tx_hash)
        try:
            is_taken = await self._chain.nonce(self.address) > sent.nonce
        except DependencyError:
            is_taken = False
        if is_taken:
            text = f"nonce {sent.nonce} was used by another transaction than {tx_hash}, of which there is no receipt"
            return ConflictError(NONCE_TAKEN, text, tx_hash=tx_hash)
        text = f"{tx_hash} is not mined after {timeout_s:.0f} s; it may be later: look it up before sending again"
        return DependencyError(TIMEOUT, text, tx_hash=tx_hash)

    def _unfunded(self, error: RpcError) -> PaymentError | None:
        """The error that says who lacks money, if that is what the node means."""
        if "insufficient funds" not in error.text and "insufficient balance" not in error.text:
            return None
        text = f"{self._account.address} cannot pay for this transaction and its gas ({error.message}): send it ether"
        return PaymentError(INSUFFICIENT_FUNDS, text, account=self._account.address)
