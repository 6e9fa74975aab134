"""The contracts behind `TaskChain`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aligned.batcher.model import Account, Market, PostedTask, Settlement, Task
from aligned.chain.client import ChainClient
from aligned.chain.contracts import BatchStatus, PaymentService, ServiceManager
from aligned.chain.errors import INSUFFICIENT_FUNDS
from aligned.chain.sender import Receipt, TxSender
from aligned.chain.types import LogEntry
from aligned.core.batch import batch_id
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, PaymentError
from aligned.core.types import ADDRESS_BYTES


class ContractTaskChain:
    """Reads and writes through the payment service and the service manager."""

    def __init__(
        self,
        client: ChainClient,
        payments: PaymentService,
        manager: ServiceManager,
        sender: TxSender,
        task_timeout_s: float,
    ) -> None:
        self._client = client
        self._payments = payments
        self._manager = manager
        self._sender = sender
        self._task_timeout_s = task_timeout_s

    async def account(self, address: bytes) -> Account:
        """The four views of one user."""
        payments = self._payments
        nonce, balance, unlock, cap = await asyncio.gather(
            payments.nonce(address),
            payments.balance(address),
            payments.unlock_time(address),
            payments.fee_cap(address),
        )
        return Account(nonce, balance, unlock, cap)

    async def market(self) -> Market:
        """Prices and switches at the head."""
        block, gas_price_wei, disabled, config = await asyncio.gather(
            self._client.block_number(),
            self._client.gas_price(),
            self._manager.disabled_verifiers(),
            self._manager.config(),
        )
        return Market(block, gas_price_wei, disabled, config.min_fee_wei)

    async def task_status(self, root: bytes) -> BatchStatus:
        """Status of our batch with this root."""
        return await self._manager.batch_status(root, self._payments.address)

    async def unspent_fee_wei(self, root: bytes) -> int:
        """Rest of the answer fee."""
        return (await self._manager.batches_state(batch_id(root, self._payments.address))).fee_limit_wei

    async def create_task(self, key: str, task: Task) -> PostedTask:
        """Sends createNewTask of the payment service, unless the task is there."""
        data = self._payments.encode_create_new_task(
            task.root,
            task.pointer,
            task.submitters,
            task.answer_fee_wei,
            task.fee_per_proof_wei,
            task.answer_fee_wei,
        )

        async def exists() -> bool:
            return await self.task_status(task.root) is not BatchStatus.UNKNOWN

        receipt = await self._send(key, data, exists)
        state = await self._manager.batches_state(batch_id(task.root, self._payments.address))
        if not state.task_block:
            raise DependencyError(
                CHAIN_UNAVAILABLE, "the task is mined, but this node does not have it (yet)"
            )
        skipped, held_wei, payers_fee_wei = await self._outcome(task.root, state.task_block)
        block, tx_hash = state.task_block, receipt.tx_hash
        return PostedTask(block, tx_hash, receipt.gas_used, skipped, held_wei, payers_fee_wei)

    async def settle(self, key: str, settlement: Settlement) -> None:
        """Sends settle of the payment service, unless there is nothing to settle any more."""

        async def settled() -> bool:
            return not any(await self._payments.settlement_hash(settlement.root))

        data = self._payments.encode_settle(
            settlement.root,
            settlement.payers,
            settlement.held_wei,
            settlement.payers_fee_wei,
            settlement.answer_fee_wei,
        )
        await self._send(key, data, settled)

    async def _send(self, key: str, data: bytes, done: Callable[[], Awaitable[bool]]) -> Receipt:
        """A batcher without ETH is a state that passes once somebody funds it."""
        try:
            return await self._sender.send(
                key, self._payments.address, data, done=done, timeout_s=self._task_timeout_s
            )
        except PaymentError as error:
            raise DependencyError(INSUFFICIENT_FUNDS, error.message, **error.context) from error

    async def _outcome(self, root: bytes, task_block: int) -> tuple[tuple[bytes, ...], int, int]:
        """Who was not charged (one entry per proof), what is held for the payers, and their part of the answer fee.

        One request: a node that lags has neither event, and "nobody was skipped" is believed only beside the other.
        """
        skipped, funded = (self._payments.topic(name) for name in ("SubmitterSkipped", "TaskFunded"))
        logs = await self._client.get_logs(
            self._payments.address, [[skipped, funded], root], task_block, task_block
        )
        data = next((log.data for log in reversed(logs) if log.topics[0] == funded), None)
        if data is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "the task is mined, but this node lacks its logs")
        held_wei, payers_fee_wei = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        return _submitters([log for log in logs if log.topics[0] == skipped]), held_wei, payers_fee_wei


def _submitters(skipped: list[LogEntry]) -> tuple[bytes, ...]:
    """The contract tells them by the run, the count in the last word."""
    runs = ((log.topics[2][-ADDRESS_BYTES:], int.from_bytes(log.data[-32:], "big")) for log in skipped)
    return tuple(submitter for submitter, proofs in runs for _ in range(proofs))
