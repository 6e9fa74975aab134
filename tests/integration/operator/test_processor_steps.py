"""One step of the processor at a time, while the chain, another worker or its own end comes between two awaits."""

from __future__ import annotations

from aligned.operator.reports import ReportStore
from aligned.operator.tasks import REORGED, TaskStore
from aligned.storage.postgres import Database
from tests.integration.files import FileServer
from tests.integration.operator.harness import StubVerifier, file_of
from tests.integration.operator.steps import (
    BLOCK,
    GOOD,
    IDENTITY,
    URL,
    World,
    event,
    finish,
    processor_of,
    reports_of,
    row_of,
    seen_task,
)
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at


async def test_processor__task_was_superseded__is_skipped_without_a_look_at_its_batch(db: Database) -> None:
    tasks = await seen_task(db, "http://127.0.0.1:9/never")
    world, verifier = World(task_block=BLOCK + 1), StubVerifier()
    assert await processor_of(tasks, world, verifier).step()
    row = await row_of(tasks)
    assert (row["state"], row["last_code"], row["signature"]) == ("skipped", "superseded", None)
    assert (verifier.seen, await reports_of(db)) == ([], [])
    assert "disabled_verifiers" not in world.reads


async def test_processor__cancelled_at_each_await__the_next_one_votes_once(
    db: Database, files: FileServer
) -> None:
    pointer, tasks, world = files.put("/good", file_of(GOOD)), TaskStore(db, [URL]), World()

    async def one(number: int) -> Run:
        await seen_task(db, pointer)
        return await cancel_at(processor_of(tasks, world, StubVerifier()).step, number)

    async def check(number: int, run: Run) -> None:
        row = await finish(db, tasks, world)
        assert (row["state"], await reports_of(db)) == ("signed", ["pending"]), f"await {number}: {run}"

    assert await at_each_await(one, check) > 10


async def test_processor__task_leaves_the_chain_at_each_await__no_vote_goes_out_and_it_comes_back(
    db: Database, files: FileServer
) -> None:
    pointer, tasks, world = files.put("/good", file_of(GOOD)), TaskStore(db, [URL]), World()

    async def vanish() -> None:
        async with db.transaction() as conn:
            await tasks.drop_from(conn, BLOCK)

    async def one(number: int) -> Run:
        await seen_task(db, pointer)
        return await act_at(processor_of(tasks, world, StubVerifier()).step, number, vanish)

    async def check(number: int, run: Run) -> None:
        if not run.reached:
            return
        assert run.error is None, f"await {number}: {run}"
        # The download's library cancels what waits in it when another of its attempts to connect was faster.
        if run.blocked or run.cancelled:
            await vanish()
        row = await tasks.get(IDENTITY, BLOCK)
        # A vote that was made is kept, and reported only if its task comes back.
        assert row is None or (row["state"], row["last_code"]) == ("skipped", REORGED), (
            f"await {number}: {run}"
        )
        assert await ReportStore(db).claim(URL, 60.0) is None
        signature = None if row is None else row["signature"]
        async with db.transaction() as conn:
            await tasks.add(conn, [event(pointer)])
        after = await finish(db, tasks, world)
        assert after["state"] == "signed", f"await {number}"
        assert signature in {None, after["signature"]}

    assert await at_each_await(one, check) > 10


async def test_processor__somebody_else_takes_the_task_at_each_await__one_vote(
    db: Database, files: FileServer
) -> None:
    """The lease ran out while this worker slept: both finish, one vote is stored, one report made."""
    pointer, tasks, world = files.put("/good", file_of(GOOD)), TaskStore(db, [URL]), World()

    async def other() -> None:
        await finish(db, tasks, world)

    async def one(number: int) -> Run:
        await seen_task(db, pointer)
        return await act_at(processor_of(tasks, world, StubVerifier()).step, number, other)

    async def check(number: int, run: Run) -> None:
        assert run.error is None, f"await {number}: {run}"
        row = await finish(db, tasks, world)
        assert (row["state"], await reports_of(db)) == ("signed", ["pending"]), f"await {number}"

    assert await at_each_await(one, check) > 10
