"""The operator's reader of tasks is cancelled at each await; the chain or a second process moves between any two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.operator.follower import Follower
from aligned.operator.tasks import TaskStore
from aligned.storage.postgres import Database
from tests.integration.following import Reader, reorganise
from tests.integration.rig import Rig, RigTask
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at

ROOT = b"\x55" * 32


def _reader(rig: Rig, db: Database, client: ChainClient) -> Reader:
    tasks = TaskStore(db, [])
    manager = ServiceManager(client, rig.deployment.service_manager)
    follower = Follower(db, client, manager, tasks, rig.deployment.deployed_block, 0)
    return Reader(follower._cursor, follower.handle, tasks.drop_from)


@pytest_asyncio.fixture
async def reader(rig: Rig, db: Database) -> AsyncIterator[Reader]:
    async with ChainClient([rig.node.url], rig.deployment.chain_id) as client:
        yield _reader(rig, db, client)


@pytest_asyncio.fixture
async def second(rig: Rig, db: Database) -> AsyncIterator[Reader]:
    async with ChainClient([rig.node.url], rig.deployment.chain_id) as client:
        yield _reader(rig, db, client)


async def _rows(db: Database, task: RigTask) -> list[tuple[int, str]]:
    async with db.transaction() as conn:
        found = await conn.execute(
            "SELECT task_block, state FROM operator_tasks WHERE batch_id = %s ORDER BY task_block",
            (task.batch_id,),
        )
        return [(row["task_block"], row["state"]) for row in await found.fetchall()]


async def test_reader__cancelled_at_each_await__every_task_is_seen_once(
    rig: Rig, db: Database, reader: Reader
) -> None:
    task: RigTask

    async def one(number: int) -> Run:
        nonlocal task
        task = rig.create_task(ROOT, "x")
        return await cancel_at(reader.step, number)

    async def check(number: int, _run: Run) -> None:
        await reader.to_the_head()
        assert await _rows(db, task) == [(task.task_block, "seen")], f"await {number}"

    assert await at_each_await(one, check) > 5


async def test_reader__second_process_between_two_awaits__every_task_is_seen_once(
    rig: Rig, db: Database, reader: Reader, second: Reader
) -> None:
    task: RigTask

    async def one(number: int) -> Run:
        nonlocal task
        task = rig.create_task(ROOT, "x")
        return await act_at(reader.step, number, second.to_the_head)

    async def check(number: int, _run: Run) -> None:
        await reader.to_the_head()
        assert await _rows(db, task) == [(task.task_block, "seen")], f"await {number}"

    assert await at_each_await(one, check, every=2) > 2


async def test_reader__task_moves_to_another_block_between_two_awaits__only_that_one_is_seen(
    rig: Rig, db: Database, reader: Reader
) -> None:
    moved: RigTask

    async def one(number: int) -> Run:
        nonlocal moved
        await reader.to_the_head()
        poster, before = rig.node.new_account(), rig.node.rpc("evm_snapshot")
        moved = rig.create_task(ROOT, "x", poster)

        async def move() -> None:
            nonlocal moved
            reorganise(rig.node, before)
            moved = rig.create_task(ROOT, "x", poster)

        return await act_at(reader.step, number, move)

    async def check(number: int, _run: Run) -> None:
        await reader.to_the_head()
        assert await _rows(db, moved) == [(moved.task_block, "seen")], f"await {number}"

    assert await at_each_await(one, check) > 5
