"""A chain and the operator's parts over a real database, for tests of single steps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from aligned_native import bls_secret_from_seed

from aligned.chain.client import ChainClient
from aligned.chain.contracts import BatchStatus, NewBatch, OperatorRegistry, ServiceManager
from aligned.chain.contracts.service_manager import BatchState
from aligned.core.batch import batch_id
from aligned.core.bls import SecretKey
from aligned.loops import Backoff
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.processor import Chain, Identity, Policy, Processor, Slots
from aligned.operator.tasks import TaskStore
from aligned.storage.batch_files import DownloadLimits
from aligned.storage.postgres import Database
from tests.integration.operator.harness import StubVerifier, proofs, root_of

URL = "http://aggregator"
SENDER = b"\x02" * 20
BLOCK = 7
GOOD = proofs(b"one", b"two")
ROOT = root_of(GOOD)
IDENTITY = batch_id(ROOT, SENDER)
SECRET = SecretKey(bls_secret_from_seed(b"operator steps" + bytes(32)))


@dataclass
class World:
    """What the chain says; the operator's clients read it here."""

    status: BatchStatus = BatchStatus.PENDING
    task_block: int = BLOCK
    registered: bool = True
    head: int = 10
    reads: list[str] = field(default_factory=list)

    async def batch_status(self, root: bytes, sender: bytes) -> BatchStatus:
        await self._read("batch_status")
        return self.status

    async def batches_state(self, identity: bytes) -> BatchState:
        await self._read("batches_state")
        return BatchState(self.task_block, responded=False, fee_limit_wei=1)

    async def is_registered(self, address: bytes, block: int) -> bool:
        await self._read("is_registered")
        return self.registered

    async def disabled_verifiers(self, block: int) -> int:
        await self._read("disabled_verifiers")
        return 0

    async def last_response_block(self, identity: bytes) -> int:
        await self._read("last_response_block")
        return 300

    async def block_number(self) -> int:
        await self._read("block_number")
        return self.head

    async def _read(self, name: str) -> None:
        self.reads.append(name)
        await asyncio.sleep(0)

    def chain(self) -> Chain:
        return Chain(cast(ChainClient, self), cast(ServiceManager, self), cast(OperatorRegistry, self))


def event(pointer: str) -> NewBatch:
    return NewBatch(ROOT, SENDER, BLOCK, pointer, 1, BLOCK, bytes(32), bytes(32), 0)


async def seen_task(db: Database, pointer: str) -> TaskStore:
    """A fresh task that is due, whatever was before."""
    tasks = TaskStore(db, [URL])
    async with db.transaction() as conn:
        await conn.execute("TRUNCATE operator_tasks CASCADE")
        await tasks.add(conn, [event(pointer)])
    return tasks


def processor_of(tasks: TaskStore, world: World, verifier: StubVerifier) -> Processor:
    limits = DownloadLimits(
        max_bytes=10**6,
        max_proofs=10,
        timeout_s=10.0,
        allow_private=True,
        allow_redirects=False,
        min_bytes_per_s=0,
    )
    policy = Policy(
        limits, frozenset(range(8)), 2, 60.0, Backoff(0.001, 0.001), 10, Slots(2, 2), sender_tasks=2
    )
    identity = Identity(SECRET, SECRET.operator_id(), SENDER, 1, bytes(20))
    return Processor(tasks, world.chain(), identity, verifier, policy, OperatorMetrics())


async def row_of(tasks: TaskStore) -> dict[str, Any]:
    row = await tasks.get(IDENTITY, BLOCK)
    assert row is not None
    return row


async def finish(db: Database, tasks: TaskStore, world: World) -> dict[str, Any]:
    """What a later process does with what it finds: the dead one's lease has run out."""
    async with db.transaction() as conn:
        await conn.execute("UPDATE operator_tasks SET leased_until = 'epoch', next_attempt_at = now()")
    processor = processor_of(tasks, world, StubVerifier())
    for _ in range(5):
        await processor.step()
    return await row_of(tasks)


async def reports_of(db: Database) -> list[str]:
    async with db.transaction() as conn:
        rows = await (await conn.execute("SELECT state FROM operator_reports")).fetchall()
    return [row["state"] for row in rows]
