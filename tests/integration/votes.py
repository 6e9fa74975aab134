"""Votes as operators make them, and variations of them, for tests of the aggregator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from aligned.bls_aggregator.service import Aggregator, Context, open_context
from aligned.core.eip712 import refusal_digest, task_digest
from aligned.settings import Settings
from aligned.wire.aggregator import hex_of
from tests.integration.rig import Rig, RigOperator, RigTask

DEADLINE_S = 30.0


def signature_of(rig: Rig, operator: RigOperator, task: RigTask, **changed: Any) -> dict[str, Any]:
    """Body of POST /v1/signatures; `changed` fields are not signed."""
    digest = task_digest(task.batch_id, task.task_block, rig.deployment.chain_id, rig.manager)
    return _common(operator, task) | {"signature": hex_of(operator.secret.sign(digest))} | changed


def refusal_of(
    rig: Rig,
    operator: RigOperator,
    task: RigTask,
    index: int = 1,
    reason: str = "invalid_proof",
    **changed: Any,
) -> dict[str, Any]:
    """Body of POST /v1/refusals."""
    leaf = bytes([7]) * 32
    where = (rig.deployment.chain_id, rig.manager)
    digest = refusal_digest(task.batch_id, task.task_block, index, leaf, reason, *where)
    evidence = {"leaf_index": index, "leaf": hex_of(leaf), "reason": reason}
    return _common(operator, task) | evidence | {"signature": hex_of(operator.secret.sign(digest))} | changed


def _common(operator: RigOperator, task: RigTask) -> dict[str, Any]:
    return {
        "batch_root": hex_of(task.root),
        "sender": hex_of(task.sender),
        "task_block": task.task_block,
        "operator_id": hex_of(operator.operator_id),
    }


@dataclass(frozen=True, slots=True)
class RunningAggregator:
    """An aggregator in this process; `http` reaches its application directly."""

    context: Context
    http: httpx.AsyncClient

    async def sign(self, body: dict[str, Any]) -> httpx.Response:
        return await self.http.post("/v1/signatures", json=body)

    async def refuse(self, body: dict[str, Any]) -> httpx.Response:
        return await self.http.post("/v1/refusals", json=body)

    async def task(self, task: RigTask) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/tasks/{hex_of(task.batch_id)}")
        return dict(answer.json())

    async def reaches(self, task: RigTask, state: str) -> dict[str, Any]:
        """Waits until the task is in `state`."""

        async def there() -> bool:
            return (await self.task(task)).get("state") == state

        await eventually(there, lambda: f"task {task.batch_id.hex()} in state {state}")
        return await self.task(task)


@asynccontextmanager
async def running_aggregator(settings: Settings) -> AsyncIterator[RunningAggregator]:
    """Runs an aggregator until the block ends."""
    stop = asyncio.Event()
    async with open_context(settings) as context:
        aggregator = Aggregator(context)
        loops = asyncio.create_task(aggregator.run(stop))
        transport = httpx.ASGITransport(aggregator.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://aggregator") as http:
            try:
                yield RunningAggregator(context, http)
            finally:
                stop.set()
                await loops


async def eventually(condition: Callable[[], Awaitable[bool]], what: Callable[[], str]) -> None:
    """Waits until `condition` holds; fails with `what` it waited for."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"not reached: {what()}"
        await asyncio.sleep(0.05)
