"""A chain and the aggregator's parts over a real database, for tests of single steps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from aligned_native import bls_secret_from_seed

from aligned.bls_aggregator.ballots import BallotBox, Statement, Tally
from aligned.bls_aggregator.collector import Collector, Patience
from aligned.bls_aggregator.metrics import AggregatorMetrics
from aligned.bls_aggregator.preparer import Chain
from aligned.bls_aggregator.tasks import TaskStore
from aligned.chain.client import ChainClient
from aligned.chain.contracts import (
    BatchStatus,
    BatchVerified,
    NewBatch,
    OperatorRegistry,
    ServiceManager,
    Snapshot,
)
from aligned.chain.contracts.service_manager import BatchState, ServiceConfig
from aligned.chain.outcome import Receipt
from aligned.chain.sender import TxSender
from aligned.chain.types import Block
from aligned.core import bls
from aligned.core.batch import batch_id
from aligned.core.bls import SecretKey
from aligned.core.eip712 import task_digest
from aligned.core.quorum import Operator
from aligned.loops import Backoff
from aligned.storage.postgres import Database

ROOT, SENDER, BLOCK, CHAIN_ID = b"\x01" * 32, b"\x02" * 20, 7, 31_337
MANAGER = b"\x03" * 20
IDENTITY = batch_id(ROOT, SENDER)
KEYS = [SecretKey(bls_secret_from_seed(b"aggregator steps %d" % n + bytes(32))) for n in range(4)]
DIGEST = task_digest(IDENTITY, BLOCK, CHAIN_ID, MANAGER)


def operators_of(keys: list[SecretKey]) -> list[Operator]:
    return [Operator(bytes(20), key.operator_id(), 10, 0, *key.public_keys()) for key in keys]


@dataclass
class World:
    """The chain: two versions of block 7, each with a set of operators of its own."""

    status: BatchStatus = BatchStatus.PENDING
    keys: list[SecretKey] = field(default_factory=lambda: KEYS[:3])
    block_hash: bytes = b"\x0a" * 32
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    address: bytes = MANAGER
    chain_id: int = CHAIN_ID

    async def block_number(self) -> int:
        await asyncio.sleep(0)
        return 10

    async def get_block(self, number: int) -> Block:
        await asyncio.sleep(0)
        return Block(number, self.block_hash, bytes(32), 0, 0)

    async def estimate_gas(self, *_args: object, **_named: object) -> int:
        await asyncio.sleep(0)
        return 1

    async def gas_price(self) -> int:
        await asyncio.sleep(0)
        return 1

    async def batch_status(self, root: bytes, sender: bytes) -> BatchStatus:
        await asyncio.sleep(0)
        return self.status

    async def batches_state(self, identity: bytes) -> BatchState:
        await asyncio.sleep(0)
        return BatchState(BLOCK, responded=False, fee_limit_wei=10**18)

    async def last_response_block(self, identity: bytes) -> int:
        await asyncio.sleep(0)
        return 300

    async def config(self) -> ServiceConfig:
        await asyncio.sleep(0)
        return ServiceConfig(0, 0, 1, 6_000, 300, 1, intake_paused=False)

    async def operators(self, block: int) -> list[Operator]:
        await asyncio.sleep(0)
        return operators_of(self.keys)

    async def snapshot_index_at(self, covered: int, block: int) -> int:
        await asyncio.sleep(0)
        return len(self.keys)

    async def snapshot(self, index: int, block: int) -> Snapshot:
        await asyncio.sleep(0)
        operators = operators_of(self.keys)
        key = bls.operator_id(bls.aggregate_g1([op.g1 for op in operators]))
        return Snapshot(key, 0, 0, len(operators), sum(op.stake for op in operators))

    def encode_respond_to_task(self, root: bytes, sender: bytes, quorum: Any) -> bytes:
        return repr(quorum.abi()).encode()

    async def send(self, key: str, to: bytes, data: bytes, **_named: object) -> Receipt:
        """As the sender does: one key is one transaction, with one content."""
        await asyncio.sleep(0)
        assert all(earlier != key or content == data for earlier, content in self.sent), "another answer"
        self.sent.append((key, data))
        self.status = BatchStatus.VERIFIED
        await asyncio.sleep(0)
        return Receipt(key, "mined", None)

    def new_batch(self) -> NewBatch:
        return NewBatch(ROOT, SENDER, BLOCK, "http://x", 1, BLOCK, self.block_hash, bytes(32), 0)

    def chain(self) -> Chain:
        return Chain(cast(ChainClient, self), cast(ServiceManager, self), cast(OperatorRegistry, self))


@dataclass
class Aggregator:
    """Its parts over a database."""

    db: Database
    tasks: TaskStore
    box: BallotBox
    world: World = field(default_factory=World)

    async def begin(self) -> None:
        """A new world with one new task."""
        self.world = World()
        async with self.db.transaction() as conn:
            await conn.execute("TRUNCATE aggregator_tasks CASCADE")
            await self.tasks.add(conn, self.world.new_batch())

    async def open(self) -> None:
        """Votes count."""
        await self.begin()
        await self.until("open")

    async def step(self) -> bool:
        sender = cast(TxSender, _WithAddress(self.world))
        patience = Patience(0.0, 0.0, 60.0, 60.0, Backoff(0.001, 0.001), 0, 600.0)
        metrics = AggregatorMetrics()
        return await Collector(self.tasks, self.box, self.world.chain(), sender, patience, metrics).step()

    async def until(self, state: str) -> None:
        """What later processes do: the leases of the dead have run out."""
        for _ in range(12):
            if await self.state() == state:
                return
            await self.free()
            await self.step()
        raise AssertionError(f"stuck in {await self.state()}, not in {state}")

    async def free(self) -> None:
        async with self.db.transaction() as conn:
            await conn.execute(
                "UPDATE aggregator_tasks SET leased_until = 'epoch', held_until = 'epoch', next_attempt_at = now()"
            )

    async def state(self) -> str:
        row = await self.tasks.newest(IDENTITY)
        return "vanished" if row is None else str(row["state"])

    async def row(self) -> dict[str, Any]:
        return await self.tasks.newest(IDENTITY) or {}

    async def vote(self, number: int) -> None:
        key = KEYS[number]
        await self.box.add(IDENTITY, BLOCK, key.operator_id(), Statement(key.sign(DIGEST)))

    async def tally(self) -> Tally:
        return await self.box.tally(IDENTITY, BLOCK)

    async def answered_on_chain(self) -> None:
        """The event of somebody's answer."""
        self.world.status = BatchStatus.VERIFIED
        async with self.db.transaction() as conn:
            await self.tasks.mark_verified(conn, BatchVerified(ROOT, SENDER, 9, bytes(32), bytes(32), 0))

    async def reorganised(self) -> None:
        """Block 7 is another one, with another set of operators; the task is in it too."""
        self.world.keys, self.world.block_hash = KEYS[1:], b"\x0b" * 32
        async with self.db.transaction() as conn:
            await self.tasks.drop_from(conn, BLOCK)
            await self.tasks.add(conn, self.world.new_batch())


class _WithAddress:
    """The sender's face of a world."""

    def __init__(self, world: World) -> None:
        self.address = "0x" + "04" * 20
        self.send = world.send
