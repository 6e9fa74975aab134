"""Operators in this process, over a real chain and database, with a verifier that the test controls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from aligned_native import merkle_root

from aligned.chain.client import ChainClient
from aligned.chain.contracts import OperatorRegistry, ServiceManager
from aligned.core.commitment import commit
from aligned.core.errors import INVALID_PROOF
from aligned.core.types import ProvingSystem, VerificationData
from aligned.operator.processor import Chain, Identity
from aligned.operator.service import Operator
from aligned.operator.tasks import TaskStore
from aligned.settings import Settings
from aligned.storage.connect import open_database
from aligned.verifiers.base import Verdict, refused, valid
from aligned.wire.batch_file import encode_batch
from tests.integration.rig import Rig, RigOperator, RigTask
from tests.integration.votes import eventually


def proofs(*contents: bytes) -> list[VerificationData]:
    """Proofs of system SP1 with these bytes."""
    return [
        VerificationData(ProvingSystem.SP1, content, b"pub", b"key", None, bytes(20)) for content in contents
    ]


def root_of(batch: Sequence[VerificationData]) -> bytes:
    """The batch's root."""
    return merkle_root(b"".join(commit(proof).leaf for proof in batch))


def file_of(batch: Sequence[VerificationData]) -> bytes:
    """The batch's file."""
    return encode_batch(batch)


@dataclass
class StubVerifier:
    """Accepts every proof but those that start with "bad"; `gate` holds verdicts back."""

    workers: int = 2
    seen: list[bytes] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    held: Callable[[bytes], bool] = lambda proof: False

    async def verify(self, data: VerificationData) -> Verdict:
        self.seen.append(data.proof)
        if self.held(data.proof):
            await self.gate.wait()
        return refused(INVALID_PROOF, "bad") if data.proof.startswith(b"bad") else valid()


@dataclass
class StubAggregator:
    """Answers votes as the test wants and keeps them."""

    answers: list[httpx.Response] = field(default_factory=list)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def has_votes(self) -> bool:
        return bool(self.received)

    def transport(self) -> httpx.MockTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            self.received.append((request.url.path, json.loads(request.content)))
            return self.answers.pop(0) if self.answers else httpx.Response(202, json={"status": "accepted"})

        return httpx.MockTransport(handle)


@dataclass(frozen=True)
class RunningOperator:
    """An operator and its memory."""

    tasks: TaskStore
    loops: asyncio.Task[None]

    async def row(self, task: RigTask) -> dict[str, Any]:
        return await self.tasks.get(task.batch_id, task.task_block) or {}

    async def is_bound(self) -> bool:
        async with self.tasks._db.transaction() as conn:
            return await (await conn.execute("SELECT 1 FROM operator_identity")).fetchone() is not None

    async def has_ended(self) -> bool:
        return self.loops.done()

    async def reaches(self, task: RigTask, state: str) -> dict[str, Any]:
        """Waits until the task's row is in `state`."""

        async def there() -> bool:
            if self.loops.done():
                self.loops.result()
            return (await self.row(task)).get("state") == state

        await eventually(there, lambda: f"task in state {state}")
        return await self.row(task)


@asynccontextmanager
async def running_operator(
    rig: Rig,
    operator: RigOperator,
    settings: Settings,
    verifier: Any,
    transport: httpx.AsyncBaseTransport,
) -> AsyncIterator[RunningOperator]:
    """Runs an operator until the block ends."""
    identity = Identity(
        operator.secret, operator.operator_id, operator.address, rig.deployment.chain_id, rig.manager
    )
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings.database, "operator"))
        client = await stack.enter_async_context(ChainClient([rig.node.url], rig.deployment.chain_id))
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport))
        chain = Chain(
            client,
            ServiceManager(client, rig.deployment.service_manager),
            OperatorRegistry(client, rig.deployment.operator_registry),
        )
        service = Operator(settings, rig.deployment, identity, chain, db, verifier, http)
        loops = asyncio.create_task(service.run(stop))
        try:
            yield RunningOperator(TaskStore(db, ()), loops)
        finally:
            stop.set()
            if not loops.done():
                await loops
