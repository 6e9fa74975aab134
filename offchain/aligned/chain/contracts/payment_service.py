"""BatcherPaymentService: deposits, charges, exits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aligned.chain.client import BlockId
from aligned.chain.contracts.bound import BoundContract
from aligned.chain.deployment import address_bytes
from aligned.chain.errors import TxReverted


class PaymentService(BoundContract):
    """BatcherPaymentService."""

    abi_name = "BatcherPaymentService"

    async def balance(self, user: bytes, block: BlockId = "latest") -> int:
        """Balance in wei."""
        return int(await self._call("user_balances", user, block=block))

    async def nonce(self, user: bytes, block: BlockId = "latest") -> int:
        """Next nonce."""
        return int(await self._call("user_nonces", user, block=block))

    async def unlock_time(self, user: bytes, block: BlockId = "latest") -> int:
        """Unix seconds from which funds may be withdrawn, 0 while locked."""
        return int(await self._call("user_unlock_block", user, block=block))

    async def fee_cap(self, user: bytes, block: BlockId = "latest") -> int:
        """Most that the user may be charged for one proof, in wei."""
        return int(await self._call("feeCapOf", user, block=block))

    async def account(self, user: bytes, block: BlockId = "latest") -> tuple[int, int, int, int]:
        """(next nonce, balance, unlock time, fee cap) of one state, as the views above say them.

        One question; four to a service that was deployed before it had the view for it.
        """
        try:
            nonce, balance, unlock, cap = await self._call("accountOf", user, block=block)
        except TxReverted:
            return (
                await self.nonce(user, block),
                await self.balance(user, block),
                await self.unlock_time(user, block),
                await self.fee_cap(user, block),
            )
        return int(nonce), int(balance), int(unlock), int(cap)

    async def batcher(self, block: BlockId = "latest") -> bytes:
        """The batcher in office."""
        return address_bytes(await self._call("batcherWallet", block=block))

    async def pending_batcher(self, block: BlockId = "latest") -> bytes:
        """Who was proposed as batcher and has not accepted; zeros for nobody."""
        return address_bytes(await self._call("pendingBatcher", block=block))

    async def service_manager(self, block: BlockId = "latest") -> bytes:
        """Where it posts batches."""
        return address_bytes(await self._call("alignedLayerServiceManager", block=block))

    async def earnings(self, block: BlockId = "latest") -> int:
        """What the batcher may withdraw, in wei."""
        return int(await self._call("batcherEarnings", block=block))

    async def settlement_hash(self, root: bytes, block: BlockId = "latest") -> bytes:
        """Keccak of the payers and terms of a batch that can still be settled, else zeros."""
        return cast("bytes", await self._call("settlementHash", root, block=block))

    async def paused(self, block: BlockId = "latest") -> bool:
        """Whether intake is paused."""
        return bool(await self._call("paused", block=block))

    def encode_create_new_task(
        self,
        root: bytes,
        pointer: str,
        submitters: Sequence[bytes],
        fee_for_aggregator_wei: int,
        fee_per_proof_wei: int,
        respond_fee_limit_wei: int,
    ) -> bytes:
        """Calldata of createNewTask; one entry of `submitters` a proof."""
        args = (
            root,
            pointer,
            list(submitters),
            fee_for_aggregator_wei,
            fee_per_proof_wei,
            respond_fee_limit_wei,
        )
        return self._encode("createNewTask", *args)

    def encode_settle(
        self, root: bytes, payers: Sequence[bytes], held_wei: int, payers_fee_wei: int, fee_limit_wei: int
    ) -> bytes:
        """Calldata of settle; the amounts are those of TaskFunded and the task's answer fee."""
        return self._encode("settle", root, list(payers), held_wei, payers_fee_wei, fee_limit_wei)

    def encode_deposit(self, user: bytes) -> bytes:
        """Calldata of deposit."""
        return self._encode("deposit", user)

    def encode_unlock(self) -> bytes:
        """Calldata of unlock."""
        return self._encode("unlock")

    def encode_lock(self) -> bytes:
        """Calldata of lock."""
        return self._encode("lock")

    def encode_withdraw(self, amount_wei: int) -> bytes:
        """Calldata of withdraw."""
        return self._encode("withdraw", amount_wei)

    def encode_set_fee_cap(self, cap_wei: int) -> bytes:
        """Calldata of setFeeCap."""
        return self._encode("setFeeCap", cap_wei)

    def encode_withdraw_earnings(self) -> bytes:
        """Calldata of withdrawEarnings."""
        return self._encode("withdrawEarnings")
