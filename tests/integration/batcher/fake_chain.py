"""A chain in memory: the batcher's port to the contracts, with switches for a test to turn."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from aligned.batcher.batches import Batch
from aligned.batcher.model import Account, Market, PostedTask, Settlement, Task, TxBounds
from aligned.chain.contracts import BatchStatus

ETH = 10**18
GWEI = 10**9


@dataclass(frozen=True)
class Sent:
    """A task that reached the chain."""

    key: str
    task: Task
    block: int


class FakeChain:
    """`TaskChain` with the payment contract's rules for nonces and charges."""

    def __init__(self) -> None:
        self.accounts: dict[bytes, Account] = defaultdict(lambda: Account(0, 0, 0, ETH))
        self.prices = Market(block=100, gas_price_wei=GWEI, disabled_systems=0, min_answer_fee_wei=0)
        self.sent: list[Sent] = []
        self.statuses: dict[bytes, BatchStatus] = {}
        self.status_blocks: dict[bytes, int] = {}
        self.held: dict[bytes, bytes] = {}
        self.bounds: list[TxBounds] = []
        self.settle_bounds: list[TxBounds] = []
        self.settled: list[Settlement] = []
        self.refusal: Exception | None = None
        self.mines_itself = True

    def fund(self, address: bytes, balance_wei: int = ETH) -> None:
        self.accounts[address] = replace(self.accounts[address], balance_wei=balance_wei)

    def change(self, address: bytes, **changes: int) -> None:
        """An account that its owner changed."""
        self.accounts[address] = replace(self.accounts[address], **changes)

    def mine(self, blocks: int = 1) -> None:
        self.prices = replace(self.prices, block=self.prices.block + blocks)

    def set_market(self, **changes: int) -> None:
        self.prices = replace(self.prices, **changes)

    async def account(self, address: bytes) -> Account:
        return self.accounts[address]

    async def market(self) -> Market:
        if self.mines_itself:
            self.mine()
        return self.prices

    async def task_status(self, root: bytes, block: int | None = None) -> BatchStatus:
        status = self.statuses.get(root, BatchStatus.UNKNOWN)
        if block is None or status is BatchStatus.UNKNOWN:
            return status
        return status if self.status_blocks.get(root, 0) <= block else BatchStatus.UNKNOWN

    async def task_block(self, root: bytes) -> int:
        return self._sent(root).block if self.statuses.get(root) else 0

    async def unspent_fee_wei(self, root: bytes) -> int:
        return self._sent(root).task.answer_fee_wei // 2

    async def settlement_hash(self, root: bytes, block: int | None = None) -> bytes:
        return self.held.get(root, bytes(32))

    async def create_task(self, key: str, task: Task, bounds: TxBounds) -> PostedTask:
        self.bounds.append(bounds)
        known = next((sent for sent in self.sent if sent.key == key), None)
        if known is None or task.root not in self.statuses:
            if self.refusal is not None:
                raise self.refusal
            self.mine_task(key, task)
        return await self.posted_task(task.root)

    def mine_task(self, key: str, task: Task) -> None:
        """A task in the present block."""
        assert task.root not in self.statuses, "the same root twice"
        self.sent = [sent for sent in self.sent if sent.key != key] + [Sent(key, task, self.prices.block)]
        self.statuses[task.root] = BatchStatus.PENDING
        for submitter in task.submitters:
            account = self.accounts[submitter]
            balance_wei = account.balance_wei - task.fee_per_proof_wei
            self.accounts[submitter] = replace(account, nonce=account.nonce + 1, balance_wei=balance_wei)
        held_wei, payers_fee_wei = _terms(task)
        terms = Settlement(task.root, task.submitters, held_wei, payers_fee_wei, task.answer_fee_wei)
        self.held[task.root] = terms.digest

    def forget(self, root: bytes) -> None:
        """A reorganisation without the task."""
        self.forget_sent(root, self._sent(root))

    def forget_sent(self, root: bytes, sent: Sent) -> None:
        """As `forget`, of a task whose transaction comes again elsewhere."""
        task = sent.task
        del self.statuses[root]
        self.held.pop(root, None)
        for submitter in task.submitters:
            account = self.accounts[submitter]
            balance_wei = account.balance_wei + task.fee_per_proof_wei
            self.accounts[submitter] = replace(account, nonce=account.nonce - 1, balance_wei=balance_wei)

    def answer(self, root: bytes, status: BatchStatus = BatchStatus.VERIFIED) -> None:
        """What becomes of a task, from this block on."""
        self.statuses[root] = status
        self.status_blocks[root] = self.prices.block

    @staticmethod
    def task_of(batch: Batch, sender: bytes) -> Task:
        """What posting a batch with one sender would have created."""
        submitters = (sender,) * batch.proof_count
        return Task(
            batch.root, batch.pointer or "", submitters, batch.answer_fee_wei, batch.fee_per_proof_wei
        )

    def settlement_of(self, root: bytes) -> Settlement:
        """What a task that is there is settled with."""
        task = self._sent(root).task
        return Settlement(root, task.submitters, *_terms(task), task.answer_fee_wei)

    async def posted_task(self, root: bytes) -> PostedTask:
        sent = self._sent(root)
        return PostedTask(sent.block, b"\x07" * 32, 150_000, (), *_terms(sent.task))

    async def settle(self, key: str, settlement: Settlement, bounds: TxBounds) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.settle_bounds.append(bounds)
        self.settled.append(settlement)
        self.held.pop(settlement.root, None)

    def _sent(self, root: bytes) -> Sent:
        return next(sent for sent in reversed(self.sent) if sent.task.root == root)


def _terms(task: Task) -> tuple[int, int]:
    """Held for the payers (the other half is the batcher's reward), and their part of the answer fee."""
    collected_wei = len(task.submitters) * task.fee_per_proof_wei
    payers_fee_wei = min(collected_wei, task.answer_fee_wei)
    return (collected_wei - payers_fee_wei) // 2, payers_fee_wei
