"""What changes between the look at the queue and the change that follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.batcher import batches, eviction, queue
from aligned.batcher.batches import Plan
from aligned.core.errors import ConflictError, DependencyError
from aligned.storage.postgres import Database
from tests.integration.batcher.bench import Bench
from tests.integration.batcher.clients import User
from tests.integration.batcher.fake_chain import FakeChain


@pytest.fixture
def bench(db: Database, chain: FakeChain, tmp_path: Path) -> Bench:
    return Bench(db, chain, tmp_path)


async def test_create__one_member_was_replaced_meanwhile__no_batch_and_the_others_stay_queued(
    bench: Bench, user: User
) -> None:
    await bench.put(user, 0, 1)
    async with bench.db.transaction() as conn:
        members = tuple(await queue.queued(conn))
        await queue.retire_replaced(conn, user.address, 1)
    plan = Plan(bytes(32), bytes(32), members, (b"", b""), None, 1, 1, 1)
    async with bench.db.transaction() as conn:
        assert not await batches.create(conn, plan)
    assert await bench.batches() == []
    assert await bench.rows(user) == {0: "queued", 1: "replaced"}


async def test_replacement__its_proof_went_into_a_batch_meanwhile__nonce_used_and_nothing_changed(
    bench: Bench, user: User
) -> None:
    await bench.posted(user, 0)
    with pytest.raises(ConflictError) as caught:
        async with bench.db.transaction() as conn:
            await queue.retire_replaced(conn, user.address, 0)
    assert caught.value.code == "nonce_used"
    assert await bench.rows(user) == {0: "posted"}


async def test_evict__not_the_senders_tail_any_more__refused_and_nothing_changed(
    bench: Bench, user: User
) -> None:
    await bench.put(user, 0)
    async with bench.db.transaction() as conn:
        (cheapest,) = await queue.queued(conn)
    await bench.put(user, 1)
    with pytest.raises(DependencyError) as caught:
        async with bench.db.transaction() as conn:
            await eviction.evict(conn, [cheapest])
    assert caught.value.code == "queue_full"
    assert await bench.rows(user) == {0: "queued", 1: "queued"}


async def test_evict__left_the_queue_meanwhile__refused_and_nothing_changed(bench: Bench, user: User) -> None:
    await bench.put(user, 0)
    async with bench.db.transaction() as conn:
        (cheapest,) = await queue.queued(conn)
    await bench.posted(user, 1)
    with pytest.raises(DependencyError):
        async with bench.db.transaction() as conn:
            await eviction.evict(conn, [cheapest])
    assert await bench.rows(user) == {0: "posted", 1: "posted"}
