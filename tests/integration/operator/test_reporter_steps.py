"""One step of the reporter at a time, while the chain or its own end comes between two awaits of it."""

from __future__ import annotations

import asyncio
from typing import cast

import httpx

from aligned.chain.contracts import BatchStatus, ServiceManager
from aligned.loops import Backoff
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.reporter import Expiry, Patience, Reporter
from aligned.operator.reports import ReportStore
from aligned.operator.tasks import TaskStore, Vote
from aligned.storage.postgres import Database
from tests.integration.operator.steps import (
    BLOCK,
    SECRET,
    URL,
    World,
    event,
    reports_of,
    row_of,
    seen_task,
)
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at


async def _voted(db: Database) -> TaskStore:
    tasks = await seen_task(db, "http://x")
    task = await tasks.claim(60.0, 1)
    assert task is not None
    assert await tasks.save_vote(task, Vote(bytes(64)))
    return tasks


class Aggregator:
    """Keeps votes."""

    def __init__(self) -> None:
        self.votes = 0

    async def handle(self, _request: httpx.Request) -> httpx.Response:
        self.votes += 1
        await asyncio.sleep(0)
        return httpx.Response(202 if self.votes == 1 else 200, json={"status": "accepted"})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))


def _reporter(db: Database, http: httpx.AsyncClient) -> Reporter:
    patience = Patience(60.0, Backoff(0.001, 0.001))
    return Reporter(URL, ReportStore(db), SECRET.operator_id(), http, patience, OperatorMetrics())


async def _report_again(db: Database, http: httpx.AsyncClient) -> None:
    async with db.transaction() as conn:
        await conn.execute("UPDATE operator_reports SET next_attempt_at = now() WHERE state = 'pending'")
    while await _reporter(db, http).step():
        pass


async def test_reporter__cancelled_at_each_await__vote_is_delivered_in_the_end(db: Database) -> None:
    aggregator = Aggregator()
    async with aggregator.client() as http:
        tasks = TaskStore(db, [URL])

        async def one(number: int) -> Run:
            aggregator.votes = 0
            await _voted(db)
            return await cancel_at(_reporter(db, http).step, number)

        async def check(number: int, run: Run) -> None:
            await _report_again(db, http)
            row = await row_of(tasks)
            assert (row["state"], await reports_of(db)) == ("reported", ["accepted"]), (
                f"await {number}: {run}"
            )
            assert aggregator.votes >= 1

        assert await at_each_await(one, check) > 5


async def test_reporter__task_leaves_and_comes_back_at_each_await__vote_is_not_lost(db: Database) -> None:
    aggregator = Aggregator()
    async with aggregator.client() as http:
        tasks = TaskStore(db, [URL])

        async def reorganise() -> None:
            async with db.transaction() as conn:
                await tasks.drop_from(conn, BLOCK)
            async with db.transaction() as conn:
                await tasks.add(conn, [event("http://x")])

        async def one(number: int) -> Run:
            aggregator.votes = 0
            await _voted(db)
            return await act_at(_reporter(db, http).step, number, reorganise)

        async def check(number: int, run: Run) -> None:
            assert run.error is None, f"await {number}: {run}"
            if run.blocked:
                await reorganise()
            await _report_again(db, http)
            row = await row_of(tasks)
            assert (row["state"], await reports_of(db)) == ("reported", ["accepted"]), (
                f"await {number}: {run}"
            )

        assert await at_each_await(one, check) > 5


async def test_expiry__cancelled_at_each_await__task_is_not_stuck(db: Database) -> None:
    world, tasks = World(status=BatchStatus.EXPIRED), TaskStore(db, [URL])

    def expiry() -> Expiry:
        return Expiry(ReportStore(db), cast(ServiceManager, world), least_age_s=0.0)

    async def one(number: int) -> Run:
        await _voted(db)
        return await cancel_at(expiry().step, number)

    async def check(number: int, run: Run) -> None:
        while await expiry().step():
            pass
        row = await row_of(tasks)
        assert (row["state"], await reports_of(db)) == ("reported", ["expired"]), f"await {number}: {run}"

    assert await at_each_await(one, check) > 3


async def test_adopt__cancelled_at_each_await__all_or_nothing(db: Database) -> None:
    reports = ReportStore(db)

    async def one(number: int) -> Run:
        await _voted(db)
        return await cancel_at(lambda: reports.adopt(["http://new"], 0), number)

    async def check(number: int, run: Run) -> None:
        assert sorted(await reports_of(db)) in (["pending"], ["expired", "pending"]), f"await {number}: {run}"
        await reports.adopt(["http://new"], 0)
        assert await reports.waiting() == {"http://new": 1}

    assert await at_each_await(one, check) > 3
