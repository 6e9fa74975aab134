"""A chain in memory: the batcher's port to the contracts, with switches for a test to turn."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from aligned.batcher.model import Account, Market, PostedTask, Settlement, Task
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
        self.settled: list[Settlement] = []
        self.refusal: Exception | None = None
        self.mines_itself = True

    def fund(self, address: bytes, balance_wei: int = ETH) -> None:
        self.accounts[address] = replace(self.accounts[address], balance_wei=balance_wei)

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

    async def task_status(self, root: bytes) -> BatchStatus:
        return self.statuses.get(root, BatchStatus.UNKNOWN)

    async def unspent_fee_wei(self, root: bytes) -> int:
        return next(sent.task.answer_fee_wei for sent in self.sent if sent.task.root == root) // 2

    async def create_task(self, key: str, task: Task) -> PostedTask:
        known = next((sent for sent in self.sent if sent.key == key), None)
        if known is None:
            if self.refusal is not None:
                raise self.refusal
            assert task.root not in self.statuses, "the same root twice"
            known = Sent(key, task, self.prices.block)
            self.sent.append(known)
            self.statuses[task.root] = BatchStatus.PENDING
            for submitter in task.submitters:
                account = self.accounts[submitter]
                balance_wei = account.balance_wei - task.fee_per_proof_wei
                self.accounts[submitter] = replace(account, nonce=account.nonce + 1, balance_wei=balance_wei)
        collected_wei = len(task.submitters) * task.fee_per_proof_wei
        payers_fee_wei = min(collected_wei, task.answer_fee_wei)
        held_wei = (collected_wei - payers_fee_wei) // 2  # the other half is the batcher's reward
        return PostedTask(known.block, b"\x07" * 32, 150_000, (), held_wei, payers_fee_wei)

    async def settle(self, key: str, settlement: Settlement) -> None:
        self.settled.append(settlement)
