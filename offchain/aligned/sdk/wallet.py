"""Transactions of a user: simulated first, then sent once and awaited with a deadline.

A role that must survive a crash between sending and mining uses `chain.sender`, which keeps a journal.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient, hex_bytes
from aligned.chain.errors import TxReverted
from aligned.chain.types import ChainReceipt
from aligned.core.errors import TIMEOUT, DependencyError

DEFAULT_TIMEOUT_S = 120.0
_GAS_MARGIN_PERCENT = 120
_POLL_S = 0.25


class Wallet:
    """Sends transactions of one account, one at a time."""

    def __init__(self, chain: ChainClient, account: LocalAccount) -> None:
        self._chain = chain
        self._account = account
        self._lock = asyncio.Lock()

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
            DependencyError: chain_unavailable; timeout when it is not mined in time (it may still be, later).
        """
        gas = await self._chain.estimate_gas(to, data, sender=self.address, value_wei=value_wei)
        return await self._send({"to": to, "data": data, "value": value_wei, "gas": gas}, timeout_s)

    async def deploy(self, creation: bytes, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bytes:
        """Creates a contract.

        Args:
            creation: creation bytecode with encoded constructor arguments.

        Returns:
            Its address, 20 bytes.

        Raises:
            TxReverted, DependencyError: as `send`.
        """
        request = {"from": hex_bytes(self.address), "data": hex_bytes(creation)}
        gas = int(await self._chain.rpc("eth_estimateGas", request), 16)
        receipt = await self._send({"data": creation, "gas": gas}, timeout_s)
        found = await self._chain.rpc("eth_getTransactionReceipt", hex_bytes(receipt.tx_hash))
        return bytes.fromhex(found["contractAddress"][2:])

    async def _send(self, transaction: dict[str, Any], timeout_s: float) -> ChainReceipt:
        async with self._lock:
            raw, tx_hash = await self._sign(transaction)
            await self._chain.send_raw(raw)
        receipt = await self._mined(tx_hash, timeout_s)
        if not receipt.succeeded:
            raise TxReverted(f"transaction {hex_bytes(tx_hash)} failed when mined", tx_hash=tx_hash)
        return receipt

    async def _sign(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        tip = await self._chain.priority_fee()
        signed = self._account.sign_transaction(
            transaction
            | {
                "type": 2,
                "chainId": self._chain.chain_id,
                "nonce": await self._chain.nonce(self.address, "pending"),
                "gas": transaction["gas"] * _GAS_MARGIN_PERCENT // 100,
                "maxFeePerGas": 2 * await self._chain.base_fee() + tip,
                "maxPriorityFeePerGas": tip,
            }
        )
        return bytes(signed.raw_transaction), bytes(signed.hash)

    async def _mined(self, tx_hash: bytes, timeout_s: float) -> ChainReceipt:
        deadline = time.monotonic() + timeout_s
        while True:
            receipt = await self._chain.get_receipt(tx_hash)
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                raise DependencyError(TIMEOUT, f"{hex_bytes(tx_hash)} is not mined after {timeout_s:.0f} s")
            await asyncio.sleep(_POLL_S)
