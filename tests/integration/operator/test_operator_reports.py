"""Votes on their way to several aggregators: a silent one delays nobody, and changed settings lose no vote."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import httpx

from aligned.chain.contracts import BatchStatus, NewBatch, ServiceManager
from aligned.core.batch import batch_id
from aligned.loops import Backoff
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.reporter import Expiry, Patience, Reporter
from aligned.operator.reports import ReportStore
from aligned.operator.tasks import TaskStore, Vote
from aligned.storage.postgres import Database
from tests.integration.files import FileServer
from tests.integration.operator.harness import StubVerifier, file_of, proofs, root_of, running_operator
from tests.integration.rig import Rig
from tests.integration.votes import eventually

GOOD, SILENT, LATER = "http://good", "http://silent", "http://later"
SENDER = b"\x02" * 20
OPERATOR_ID = b"\x09" * 32
LEASE_S = 60.0


class Manager:
    """Says where batches stand; without an entry they are pending."""

    def __init__(self) -> None:
        self.status: dict[bytes, BatchStatus] = {}
        self.asked = 0

    async def batch_status(self, root: bytes, sender: bytes) -> BatchStatus:
        self.asked += 1
        return self.status.get(root, BatchStatus.PENDING)


def _root(number: int) -> bytes:
    return number.to_bytes(32, "big")


async def _vote(db: Database, urls: list[str], number: int, block: int = 7) -> None:
    tasks = TaskStore(db, urls)
    batch = NewBatch(_root(number), SENDER, block, "http://x", 1, block, bytes(32), bytes(32), 0)
    async with db.transaction() as conn:
        await tasks.add(conn, [batch])
    task = await tasks.claim(LEASE_S, 100)
    assert task is not None
    assert await tasks.save_vote(task, Vote(bytes(64)))


async def _state(db: Database, number: int, block: int = 7) -> str:
    row = await TaskStore(db, ()).get(batch_id(_root(number), SENDER), block)
    assert row is not None
    return str(row["state"])


Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Aggregators:
    """Answers by host; what has no handler accepts."""

    def __init__(self, **handlers: Handler) -> None:
        self.handlers = handlers
        self.votes: Counter[str] = Counter()
        self.heard: set[tuple[str, str]] = set()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.votes[host] += 1
        if host in self.handlers:
            return await self.handlers[host](request)
        self.heard.add((host, json.loads(request.content)["batch_root"]))
        return httpx.Response(202, json={"status": "accepted"})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))


async def _never(_request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


def _reporter(db: Database, url: str, http: httpx.AsyncClient, timeout_s: float = 600.0) -> Reporter:
    patience = Patience(timeout_s, Backoff(600.0, 600.0))
    return Reporter(url, ReportStore(db), OPERATOR_ID, http, patience, OperatorMetrics())


async def _deliver(reporter: Reporter) -> int:
    """Steps until nothing is due; how many."""
    steps = 0
    while await reporter.step():
        steps += 1
    return steps


async def test_operator__one_aggregator_never_answers__the_other_has_every_vote(
    rig: Rig, files: FileServer, postgres: str
) -> None:
    """Requests to the silent one are never answered here: who waits for one of them waits for ever."""
    operator, aggregators = rig.operators[0], Aggregators(silent=_never)
    for number in range(6):
        batch = proofs(b"proof %d" % number)
        rig.create_task(root_of(batch), files.put(f"/{number}", file_of(batch)))
    settings = rig.operator_settings(
        operator, postgres, aggregator_urls=(SILENT, GOOD), report_timeout_s=600.0
    )
    transport = httpx.MockTransport(aggregators.handle)

    async def all_heard() -> bool:
        return len(aggregators.heard) == 6

    async with running_operator(rig, operator, settings, StubVerifier(), transport) as running:
        await eventually(all_heard, lambda: "six votes at the aggregator that answers")
        assert aggregators.votes["silent"] <= settings.operator.report_workers
        running.loops.cancel()
        await asyncio.wait([running.loops])


async def test_reporter__silent_aggregator__is_left_alone_and_asked_with_one_report(db: Database) -> None:
    for number in range(8):
        await _vote(db, [SILENT], number)
    aggregators = Aggregators(silent=_never)
    async with aggregators.client() as http:
        reporter = _reporter(db, SILENT, http, timeout_s=0.01)
        await asyncio.gather(*(reporter.step() for _ in range(4)))
        asked = aggregators.votes["silent"]
        assert await _deliver(reporter) == 0
        assert aggregators.votes["silent"] == asked == 4
        # The pause is over: one report asks whether it is back, and the others wait for what comes of that.
        reporter._rest_until = 0.0
        assert sorted(await asyncio.gather(*(reporter.step() for _ in range(4)))) == [
            False,
            False,
            False,
            True,
        ]
        del aggregators.handlers["silent"]
        reporter._rest_until = 0.0
        assert await _deliver(reporter) == 3
    assert len(aggregators.heard) == 3


async def test_reporter__answer_without_end__is_cut_off(db: Database) -> None:
    await _vote(db, [GOOD], 1)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            assert sent < 1_000, "the whole answer is read"
            yield b"x" * 1_024

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, content=endless())

    async with Aggregators(good=answer).client() as http:
        assert await _reporter(db, GOOD, http).step()
    assert await ReportStore(db).waiting() == {GOOD: 1}


async def test_reporter__answer_that_trickles__ends_at_the_deadline(db: Database) -> None:
    await _vote(db, [GOOD], 1)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, content=trickle())

    async with Aggregators(good=answer).client() as http:
        assert await _reporter(db, GOOD, http, timeout_s=0.2).step()
    assert await ReportStore(db).waiting() == {GOOD: 1}


async def test_expiry__aggregator_was_never_reached__reports_end_with_their_windows(db: Database) -> None:
    for number in range(20):
        await _vote(db, [SILENT], number, block=number + 1)
    manager = Manager()
    expiry = Expiry(ReportStore(db), cast(ServiceManager, manager), least_age_s=0.0)
    assert not await expiry.step()
    manager.status = {_root(number): BatchStatus.EXPIRED for number in range(15)}
    steps = 0
    while await expiry.step():
        steps += 1
    assert (steps, manager.asked) == (15, 17)
    assert await ReportStore(db).waiting() == {SILENT: 5}
    assert [await _state(db, 0, 1), await _state(db, 15, 16)] == ["reported", "signed"]


async def test_expiry__node_that_lags_does_not_know_the_batch__vote_waits(db: Database) -> None:
    await _vote(db, [GOOD], 1)
    manager = Manager()
    manager.status = {_root(1): BatchStatus.UNKNOWN}
    assert not await Expiry(ReportStore(db), cast(ServiceManager, manager), least_age_s=0.0).step()
    assert await ReportStore(db).waiting() == {GOOD: 1}


async def test_adopt__url_is_new__hears_of_votes_that_still_count(db: Database) -> None:
    for number, block in ((1, 3), (2, 7), (3, 8)):
        await _vote(db, [GOOD], number, block)
    aggregators, reports = Aggregators(), ReportStore(db)
    async with aggregators.client() as http:
        await _deliver(_reporter(db, GOOD, http))
        assert await _state(db, 3, 8) == "reported"
        await reports.adopt([GOOD, LATER], from_block=7)
        assert [await _state(db, 1, 3), await _state(db, 3, 8)] == ["reported", "signed"]
        assert await _deliver(_reporter(db, LATER, http)) == 2
        assert await _deliver(_reporter(db, GOOD, http)) == 0
    assert await _state(db, 3, 8) == "reported"


async def test_adopt__url_was_removed__is_not_asked_any_more_and_the_task_ends(db: Database) -> None:
    await _vote(db, [GOOD, SILENT], 1)
    aggregators, reports = Aggregators(), ReportStore(db)
    async with aggregators.client() as http:
        await _deliver(_reporter(db, GOOD, http))
        assert await _state(db, 1) == "signed"
        await reports.adopt([GOOD], from_block=0)
        assert await _state(db, 1) == "reported"
        assert await reports.waiting() == {}
        # And when it is back in the settings, it hears of the vote.
        await reports.adopt([GOOD, SILENT], from_block=0)
        assert await _deliver(_reporter(db, SILENT, http)) == 1
    assert (aggregators.votes, await _state(db, 1)) == ({"good": 1, "silent": 1}, "reported")


async def test_adopt__nothing_changed__changes_nothing(db: Database) -> None:
    await _vote(db, [GOOD, LATER], 1)
    aggregators, reports = Aggregators(), ReportStore(db)
    async with aggregators.client() as http:
        await _deliver(_reporter(db, GOOD, http))
        await reports.adopt([GOOD, LATER], from_block=0)
        assert await reports.waiting() == {LATER: 1}
        assert await _deliver(_reporter(db, GOOD, http)) == 0
