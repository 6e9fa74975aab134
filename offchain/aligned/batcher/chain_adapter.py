"""The contracts behind `TaskChain`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aligned.batcher.model import Account, Market, PostedTask, Settlement, Task, TxBounds
from aligned.batcher.ports import FeesAboveBounds
from aligned.chain.client import BlockId, ChainClient
from aligned.chain.contracts import BatchStatus, PaymentService, ServiceManager
from aligned.chain.errors import FEES_ABOVE_CAP, INSUFFICIENT_FUNDS, TxCancelled
from aligned.chain.sender import Receipt, TxSender
from aligned.chain.types import LogEntry
from aligned.core.batch import batch_id
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, PaymentError
from aligned.core.types import ADDRESS_BYTES

# The sender looks at a mined transaction again for so many blocks.
_LOOKED_AT_BLOCKS = 64
_MOST_ATTEMPTS = 4


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
        """All that the contract says of one user, in one question."""
        return Account(*await self._payments.account(address))

    async def market(self) -> Market:
        """Prices and switches at the head."""
        head, gas_price_wei, disabled, config = await asyncio.gather(
            self._client.get_block("latest"),
            self._client.gas_price(),
            self._manager.disabled_verifiers(),
            self._manager.config(),
        )
        if head is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "no endpoint has a head")
        return Market(head.number, gas_price_wei, disabled, config.min_fee_wei, head.timestamp)

    async def task_status(self, root: bytes, block: int | None = None) -> BatchStatus:
        """Status of our batch with this root."""
        return await self._manager.batch_status(root, self._payments.address, _at(block))

    async def task_block(self, root: bytes) -> int:
        """Block of its task, 0 without one."""
        return (await self._manager.batches_state(batch_id(root, self._payments.address))).task_block

    async def unspent_fee_wei(self, root: bytes) -> int:
        """Rest of the answer fee."""
        return (await self._manager.batches_state(batch_id(root, self._payments.address))).fee_limit_wei

    async def settlement_hash(self, root: bytes, block: int | None = None) -> bytes:
        """What the contract commits to until it is settled, else zeros."""
        return await self._payments.settlement_hash(root, _at(block))

    async def create_task(self, key: str, task: Task, bounds: TxBounds) -> PostedTask:
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

        receipt = await self._send_until(key, data, exists, bounds)
        return replace(await self.posted_task(task.root), gas_used=receipt.gas_used)

    async def posted_task(self, root: bytes) -> PostedTask:
        """The task as its own event has it."""
        block = await self.task_block(root)
        if not block:
            raise DependencyError(
                CHAIN_UNAVAILABLE, "the task is mined, but this node does not have it (yet)"
            )
        return await self._outcome(root, block)

    async def settle(self, key: str, settlement: Settlement, bounds: TxBounds) -> None:
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
        await self._send_until(key, data, settled, bounds)

    async def _send_until(
        self, key: str, data: bytes, done: Callable[[], Awaitable[bool]], bounds: TxBounds
    ) -> Receipt:
        """The receipt of what made `done` true.

        The sender does not look again at what was mined long ago. If that left the chain while nobody looked, the wish
        is another one, under a key of its own; should both be mined, the contract refuses the second.
        """
        for attempt in range(_MOST_ATTEMPTS):
            receipt = await self._send(key if attempt == 0 else f"{key}:{attempt}", data, done, bounds)
            if await done() or not await self._is_old(receipt):
                return receipt
        raise DependencyError(CHAIN_UNAVAILABLE, f"{key} left the chain {_MOST_ATTEMPTS} times")

    async def _is_old(self, receipt: Receipt) -> bool:
        block = receipt.block_number
        return block is not None and await self._client.block_number() > block + _LOOKED_AT_BLOCKS

    async def _send(
        self, key: str, data: bytes, done: Callable[[], Awaitable[bool]], bounds: TxBounds
    ) -> Receipt:
        """A batcher without ETH is a state that passes once somebody funds it."""
        try:
            return await self._sender.send(
                key,
                self._payments.address,
                data,
                done=done,
                timeout_s=self._task_timeout_s,
                max_fee_wei=bounds.max_fee_wei,
                give_up_after_s=bounds.give_up_after_s,
            )
        except PaymentError as error:
            raise DependencyError(INSUFFICIENT_FUNDS, error.message, **error.context) from error
        except TxCancelled as error:
            raise FeesAboveBounds(error.message, was_sent=True) from error
        except DependencyError as error:
            if error.code != FEES_ABOVE_CAP:
                raise
            raise FeesAboveBounds(error.message, was_sent=False) from error

    async def _outcome(self, root: bytes, task_block: int) -> PostedTask:
        """Who was not charged (one entry per proof), what is held for the payers, and their part of the answer fee.

        One request: a node that lags has neither event, and "nobody was skipped" is believed only beside the other.
        """
        skipped, funded = (self._payments.topic(name) for name in ("SubmitterSkipped", "TaskFunded"))
        logs = await self._client.get_logs(
            self._payments.address, [[skipped, funded], root], task_block, task_block
        )
        event = next((log for log in reversed(logs) if log.topics[0] == funded), None)
        if event is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "the task is mined, but this node lacks its logs")
        held_wei, payers_fee_wei = (int.from_bytes(event.data[at : at + 32], "big") for at in (0, 32))
        unpaid = _submitters([log for log in logs if log.topics[0] == skipped])
        return PostedTask(task_block, event.tx_hash, 0, unpaid, held_wei, payers_fee_wei)


def _at(block: int | None) -> BlockId:
    return "latest" if block is None else block


def _submitters(skipped: list[LogEntry]) -> tuple[bytes, ...]:
    """The contract tells them by the run, the count in the last word."""
    runs = ((log.topics[2][-ADDRESS_BYTES:], int.from_bytes(log.data[-32:], "big")) for log in skipped)
    return tuple(submitter for submitter, proofs in runs for _ in range(proofs))
