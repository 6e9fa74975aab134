"""The tables of aggregator and operator under many calls at once: right results, and no deadlock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest_asyncio

from aligned.bls_aggregator.ballots import BallotBox, Statement
from aligned.bls_aggregator.tasks import TaskStore as AggregatorTasks
from aligned.chain.contracts import BatchVerified, NewBatch
from aligned.core.batch import batch_id
from aligned.core.bls import G1, G2
from aligned.core.quorum import Operator
from aligned.operator.reports import Report, ReportStore
from aligned.operator.tasks import TaskStore, Vote
from aligned.storage.postgres import Connection, Database
from tests.integration.storage.locks.together import CALLS, together, transaction, wide_database

ROOT, SENDER, BLOCK = b"\x01" * 32, b"\x02" * 20, 7
IDENTITY = batch_id(ROOT, SENDER)
LEASE_S = 60.0
ROUNDS = 5


def _new_batch(root: bytes = ROOT, block: int = BLOCK) -> NewBatch:
    return NewBatch(root, SENDER, block, "http://x", 1, block, bytes(32), bytes(32), 0)


@pytest_asyncio.fixture
async def aggregator(postgres: str) -> AsyncIterator[Database]:
    async with wide_database(postgres, "aggregator") as db:
        yield db


@pytest_asyncio.fixture
async def operator(postgres: str) -> AsyncIterator[Database]:
    async with wide_database(postgres, "operator") as db:
        yield db


def _operators(count: int) -> list[Operator]:
    keys = G1(bytes(64)), G2(bytes(128))
    return [Operator(bytes(20), bytes([n]) * 32, 1, 0, *keys) for n in range(count)]


async def _open_task(db: Database, tasks: AggregatorTasks, root: bytes = ROOT, block: int = BLOCK) -> bytes:
    await transaction(db, lambda conn: tasks.add(conn, _new_batch(root, block)))
    while (task := await tasks.claim(LEASE_S)) is not None and task.task_block != block:
        pass
    assert task is not None
    await tasks.open(task, _operators(CALLS), 0, block + 100)
    return task.batch_id


async def test_votes__of_all_operators_at_once__all_count_and_no_deadlock(aggregator: Database) -> None:
    tasks, box = AggregatorTasks(aggregator), BallotBox(aggregator)
    for block in range(BLOCK, BLOCK + ROUNDS):
        identity = await _open_task(aggregator, tasks, block=block)
        votes = [box.add(identity, block, op.operator_id, Statement(bytes(64))) for op in _operators(CALLS)]
        assert await together(aggregator, *votes) == [True] * CALLS
        assert len((await box.tally(identity, block)).signatures) == CALLS


async def test_votes__same_vote_many_times_at_once__one_counts(aggregator: Database) -> None:
    tasks, box = AggregatorTasks(aggregator), BallotBox(aggregator)
    identity = await _open_task(aggregator, tasks)
    same = [box.add(identity, BLOCK, bytes(32), Statement(bytes(64))) for _ in range(CALLS)]
    assert sorted(await together(aggregator, *same)) == [False] * (CALLS - 1) + [True]


async def test_votes__while_the_task_is_worked_on_verified_and_reorganised__no_deadlock(
    aggregator: Database,
) -> None:
    tasks, box = AggregatorTasks(aggregator), BallotBox(aggregator)
    identity = await _open_task(aggregator, tasks)
    verified = BatchVerified(ROOT, SENDER, BLOCK + 1, bytes(32), bytes(32), 0)

    async def events(conn: Connection) -> None:
        await tasks.mark_verified(conn, verified)
        await tasks.drop_from(conn, BLOCK + 1)
        await tasks.drop_from(conn, BLOCK)
        await tasks.add(conn, _new_batch())

    async def work() -> None:
        task = await tasks.claim(LEASE_S)
        if task is not None:
            await tasks.open(task, _operators(CALLS), 0, BLOCK + 100)
            await tasks.renew(task, LEASE_S)
            await tasks.release(task, 0.0)

    async def vote(op: Operator) -> None:
        await box.add(identity, BLOCK, op.operator_id, Statement(bytes(64)))

    for _ in range(ROUNDS):
        calls = [vote(op) for op in _operators(CALLS - 4)]
        await together(aggregator, *calls, transaction(aggregator, events), work(), work(), work())


async def test_claims__many_at_once__each_task_once(aggregator: Database) -> None:
    tasks = AggregatorTasks(aggregator)
    for number in range(CALLS // 2):
        await transaction(aggregator, partial(tasks.add, batch=_new_batch(bytes([number]) * 32)))
    claimed = await together(aggregator, *(tasks.claim(LEASE_S) for _ in range(CALLS)))
    found = [task.key for task in claimed if task is not None]
    assert len(found) == len(set(found)) <= CALLS // 2
    while (task := await tasks.claim(LEASE_S)) is not None:
        found.append(task.key)
    assert len(found) == len(set(found)) == CALLS // 2


async def _voted(db: Database, urls: list[str]) -> TaskStore:
    tasks = TaskStore(db, urls)
    await transaction(db, lambda conn: tasks.add(conn, [_new_batch()]))
    task = await tasks.claim(LEASE_S, 1)
    assert task is not None
    assert await tasks.save_vote(task, Vote(bytes(64)))
    return tasks


async def _claimed(reports: ReportStore, count: int) -> list[Report]:
    found = [await reports.claim(f"http://{number}", LEASE_S) for number in range(count)]
    return [report for report in found if report is not None]


async def test_reports__all_end_at_once__task_is_reported(operator: Database) -> None:
    tasks = await _voted(operator, [f"http://{number}" for number in range(CALLS)])
    reports = ReportStore(operator)
    due = await _claimed(reports, CALLS)
    assert len(due) == CALLS
    await together(operator, *(reports.settle(report, "accepted", "accepted") for report in due))
    row = await tasks.get(IDENTITY, BLOCK)
    assert row is not None
    assert row["state"] == "reported"


async def test_reports__end_while_the_task_leaves_the_chain_and_comes_back__no_deadlock(
    operator: Database,
) -> None:
    tasks = await _voted(operator, [f"http://{number}" for number in range(CALLS)])
    reports = ReportStore(operator)

    async def events(conn: Connection) -> None:
        await tasks.drop_from(conn, BLOCK)
        await tasks.add(conn, [_new_batch()])

    for _ in range(ROUNDS):
        await transaction(operator, events)
        due = await _claimed(reports, CALLS - 1)
        ends = [reports.settle(report, "accepted", "accepted") for report in due]
        await together(operator, transaction(operator, events), *ends)
