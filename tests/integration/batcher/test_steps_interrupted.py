"""Each step of the batcher's loops, broken off at each of its awaits, or with something else happening there.

Afterwards another process goes on. No proof is lost, none is posted twice, nonces and money come out even.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aligned.batcher import batches, queue
from aligned.batcher.ports import FeesAboveBounds
from aligned.chain.contracts import BatchStatus
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import DEPTH, Bench
from tests.integration.batcher.world import REPOST_BLOCKS, World
from tests.outside.awaits import Run, act_at, at_each_await, cancel_at

Prepare = Callable[[World], Awaitable[Callable[[], Awaitable[object]]]]


async def building(world: World) -> Callable[[], Awaitable[object]]:
    await world.bench.put(world.user, 0, 1)
    world.chain.mine()
    await world.bench.market.refresh()
    return world.bench.poster.step


async def uploading(world: World) -> Callable[[], Awaitable[object]]:
    step = await building(world)
    await step()
    return step


async def posting(world: World) -> Callable[[], Awaitable[object]]:
    step = await uploading(world)
    await step()
    return step


async def dissolving(world: World) -> Callable[[], Awaitable[object]]:
    step = await posting(world)
    world.chain.refusal = FeesAboveBounds("too dear", was_sent=True)
    return step


async def answered(world: World) -> Callable[[], Awaitable[object]]:
    batch = await world.bench.posted(world.user, 0, 1)
    world.chain.answer(batch.root)
    return world.bench.follow


async def turning_final(world: World) -> Callable[[], Awaitable[object]]:
    await world.bench.verified(world.user, 0, 1)
    await world.bench.follow(DEPTH - 2)
    return world.bench.follow


async def missing(world: World) -> Callable[[], Awaitable[object]]:
    batch = await world.bench.verified(world.user, 0, 1)
    world.chain.forget(batch.root)
    await world.bench.follow(REPOST_BLOCKS - 1)
    return world.bench.follow


async def reviving(world: World) -> Callable[[], Awaitable[object]]:
    step = await dissolving(world)
    await step()
    (batch,) = await world.bench.batches()
    world.chain.mine_task("original", world.chain.task_of(batch, world.user.address))
    return world.bench.follow


async def settling(world: World) -> Callable[[], Awaitable[object]]:
    await world.bench.verified(world.user, 0, 1)
    await world.bench.follow(DEPTH + 2)
    return world.bench.settle


async def confirming(world: World) -> Callable[[], Awaitable[object]]:
    step = await settling(world)
    await step()
    world.chain.mine(DEPTH + 1)
    return step


STEPS = [
    building,
    uploading,
    posting,
    dissolving,
    answered,
    turning_final,
    missing,
    reviving,
    settling,
    confirming,
]


@pytest.mark.parametrize("prepare", STEPS, ids=lambda prepare: prepare.__name__)
async def test_step__cancelled_at_each_await__the_next_process_loses_and_doubles_nothing(
    db: Database, tmp_path: Path, prepare: Prepare
) -> None:
    world: World

    async def one(number: int) -> Run:
        nonlocal world
        world = await World.fresh(db, tmp_path)
        step = await prepare(world)
        return await cancel_at(step, number)  # type: ignore[arg-type]

    async def check(_number: int, run: Run) -> None:
        assert run.error is None
        await world.finish()
        await world.check(2)

    assert await at_each_await(one, check, every=2) > 2


async def replaced(world: World) -> None:
    """The sender replaces its last proof, if it is still queued."""
    async with world.db.transaction() as conn:
        await queue.lock_sender(conn, world.user.address)
        stored = await queue.by_nonce(conn, world.user.address, 1)
        if stored is None or stored.state != "queued":
            return
        await queue.retire_replaced(conn, world.user.address, 1)
    await world.bench.put(world.user, 1, max_fee_wei=10**17)


async def taken_apart(world: World) -> None:
    """Another process takes the batch on its way apart, if nothing was handed over."""
    async with world.db.transaction() as conn:
        batch = await batches.unposted(conn)
        if batch is not None and not batch.sending:
            await batches.dissolve(conn, batch.number, "by another process")


async def stepped_elsewhere(world: World) -> None:
    """Another batcher over the same database takes the same step."""
    other = Bench(world.db, world.chain, world.folder)
    await other.market.refresh()
    await other.poster.step()


@pytest.mark.parametrize("prepare", [building, uploading, posting], ids=lambda prepare: prepare.__name__)
@pytest.mark.parametrize(
    "change", [replaced, taken_apart, stepped_elsewhere], ids=lambda change: change.__name__
)
async def test_post__changed_between_two_awaits__nothing_lost_or_doubled(
    db: Database, tmp_path: Path, prepare: Prepare, change: Callable[[World], Awaitable[None]]
) -> None:
    world: World

    async def one(number: int) -> Run:
        nonlocal world
        world = await World.fresh(db, tmp_path)
        step = await prepare(world)
        return await act_at(step, number, lambda: change(world))  # type: ignore[arg-type]

    async def check(_number: int, _run: Run) -> None:
        await world.finish()
        await world.check(2)

    assert await at_each_await(one, check, every=3) > 2


async def answer_gone(world: World) -> None:
    for root in list(world.chain.statuses):
        world.chain.answer(root, BatchStatus.PENDING)


async def task_gone(world: World) -> None:
    for root in list(world.chain.statuses):
        world.chain.forget(root)


async def followed_elsewhere(world: World) -> None:
    other = Bench(world.db, world.chain, world.folder)
    await other.market.refresh()
    await other.follower.step()


async def returned_by_others(world: World) -> None:
    """Anybody may settle."""
    world.chain.settled += [
        world.chain.settlement_of(root) for root in world.chain.held if _is_final(world, root)
    ]
    world.chain.held = {root: held for root, held in world.chain.held.items() if not _is_final(world, root)}


def _is_final(world: World, root: bytes) -> bool:
    return world.chain.statuses[root] is BatchStatus.VERIFIED


@pytest.mark.parametrize(
    ("prepare", "change"),
    [
        (answered, answer_gone),
        (answered, task_gone),
        (answered, followed_elsewhere),
        (turning_final, followed_elsewhere),
        (missing, followed_elsewhere),
        (missing, stepped_elsewhere),
        (reviving, followed_elsewhere),
        (reviving, stepped_elsewhere),
        (settling, returned_by_others),
        (confirming, returned_by_others),
    ],
    ids=lambda given: given.__name__,
)
async def test_follow_and_settle__changed_between_two_awaits__nothing_lost_or_doubled(
    db: Database, tmp_path: Path, prepare: Prepare, change: Callable[[World], Awaitable[None]]
) -> None:
    world: World

    async def one(number: int) -> Run:
        nonlocal world
        world = await World.fresh(db, tmp_path)
        step = await prepare(world)
        return await act_at(step, number, lambda: change(world))  # type: ignore[arg-type]

    async def check(_number: int, _run: Run) -> None:
        await world.finish()
        await world.check(2)

    assert await at_each_await(one, check, every=2) > 2
