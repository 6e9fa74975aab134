"""The aggregator's reader of events is cancelled at each await; the chain or a second process moves between any two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest_asyncio

from aligned.bls_aggregator.follower import Follower
from aligned.bls_aggregator.tasks import TaskStore
from aligned.chain.client import ChainClient
from aligned.chain.contracts import ServiceManager
from aligned.storage.postgres import Database, migrate
from tests.integration.following import Reader, reorganise
from tests.integration.rig import Rig, RigTask
from tests.integration.votes import running_aggregator, signature_of
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at

ROOT = b"\x55" * 32


def _reader(rig: Rig, db: Database, client: ChainClient) -> Reader:
    tasks = TaskStore(db)
    manager = ServiceManager(client, rig.deployment.service_manager)
    follower = Follower(db, client, manager, tasks, rig.deployment.deployed_block, 0)
    return Reader(follower._cursor, follower.handle, tasks.drop_from)


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with Database(postgres) as opened:
        await migrate(opened, "aggregator")
        yield opened


@pytest_asyncio.fixture
async def reader(rig: Rig, db: Database) -> AsyncIterator[Reader]:
    async with ChainClient([rig.node.url], rig.deployment.chain_id) as client:
        yield _reader(rig, db, client)


@pytest_asyncio.fixture
async def second(rig: Rig, db: Database) -> AsyncIterator[Reader]:
    async with ChainClient([rig.node.url], rig.deployment.chain_id) as client:
        yield _reader(rig, db, client)


@dataclass(frozen=True, slots=True)
class Answer:
    """A task, and the transaction that answers it: good in every chain that has the task in its block."""

    task: RigTask
    call: dict[str, Any]

    def send(self, rig: Rig) -> int:
        """Answers; the block in which that is."""
        tx_hash = rig.node.rpc("eth_sendTransaction", self.call)
        return int(rig.web3.eth.wait_for_transaction_receipt(tx_hash)["blockNumber"])


@pytest_asyncio.fixture
async def answer(rig: Rig, postgres_server: Any) -> Answer:
    """Made by an aggregator of somebody else, and taken back again."""
    task = rig.create_task(ROOT, "x")
    rig.node.mine()
    theirs = rig.aggregator_settings(rig.node.new_account(), postgres_server.url(f"theirs_{uuid4().hex}"))
    before = rig.node.rpc("evm_snapshot")
    async with running_aggregator(theirs) as other:
        for operator in rig.operators:
            await other.sign(signature_of(rig, operator, task))
        tx_hash = (await other.reaches(task, "answered"))["respond_tx_hash"]
    sent = rig.node.rpc("eth_getTransactionByHash", tx_hash)
    reorganise(rig.node, before)
    rig.node.rpc("anvil_impersonateAccount", sent["from"])
    return Answer(task, {"from": sent["from"], "to": sent["to"], "data": sent["input"], "gas": sent["gas"]})


async def _live(db: Database, task: RigTask) -> list[tuple[int, str, int | None]]:
    """(task block, state, block of the answer) of the batch's tasks that are on the chain."""
    async with db.transaction() as conn:
        found = await conn.execute(
            "SELECT task_block, state, answered_block FROM aggregator_tasks"
            " WHERE batch_id = %s AND state <> 'vanished' ORDER BY task_block",
            (task.batch_id,),
        )
        return [(row["task_block"], row["state"], row["answered_block"]) for row in await found.fetchall()]


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
        assert await _live(db, task) == [(task.task_block, "new", None)], f"await {number}"

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
        assert await _live(db, task) == [(task.task_block, "new", None)], f"await {number}"

    assert await at_each_await(one, check, every=2) > 2


async def test_reader__task_moves_to_another_block_between_two_awaits__only_that_one_is_on_the_chain(
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
        assert await _live(db, moved) == [(moved.task_block, "new", None)], f"await {number}"

    assert await at_each_await(one, check) > 5


async def test_reader__cancelled_at_each_await__answer_ends_its_task_and_its_loss_opens_it_again(
    rig: Rig, db: Database, reader: Reader, answer: Answer
) -> None:
    task, before, block = answer.task, None, 0

    async def one(number: int) -> Run:
        nonlocal before, block
        await reader.to_the_head()
        assert await _live(db, task) == [(task.task_block, "new", None)], f"await {number}"
        before = rig.node.rpc("evm_snapshot")
        block = answer.send(rig)
        return await cancel_at(reader.step, number)

    async def check(number: int, _run: Run) -> None:
        await reader.to_the_head()
        assert await _live(db, task) == [(task.task_block, "answered", block)], f"await {number}"
        reorganise(rig.node, before)

    assert await at_each_await(one, check, every=2) > 2


async def test_reader__answer_moves_to_another_block_between_two_awaits__counts_where_it_is(
    rig: Rig, db: Database, reader: Reader, answer: Answer
) -> None:
    task, before, block = answer.task, None, 0

    async def one(number: int) -> Run:
        nonlocal before, block
        await reader.to_the_head()
        before = rig.node.rpc("evm_snapshot")
        block = answer.send(rig)

        async def move() -> None:
            nonlocal before, block
            reorganise(rig.node, before)
            before = rig.node.rpc("evm_snapshot")
            block = answer.send(rig)

        return await act_at(reader.step, number, move)

    async def check(number: int, _run: Run) -> None:
        await reader.to_the_head()
        assert await _live(db, task) == [(task.task_block, "answered", block)], f"await {number}"
        reorganise(rig.node, before)

    assert await at_each_await(one, check, every=2) > 2
