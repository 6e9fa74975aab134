"""The same commitments again while their aggregation changes its state: the later ones share its fate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import psycopg
import pytest

from aligned.storage.aggregation import aggregations, setbacks
from aligned.storage.aggregation.aggregations import AggregationJob
from aligned.storage.postgres import Connection
from tests.integration.proof_aggregator.harness import Parts

_SAME = (
    "INSERT INTO proofs (source, batch_root, batch_index, system, program_id, commitment, leaf, proof_hash,"
    " key_hash, public_input_hash, proof_object, program_key, public_inputs, size_bytes, state)"
    " SELECT source, sha256('other'), 0, system, program_id, commitment, leaf, proof_hash, key_hash,"
    " public_input_hash, proof_object, program_key, public_inputs, size_bytes, 'pending'"
    " FROM proofs WHERE id = %s RETURNING id"
)
_WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
Change = Callable[[Connection, AggregationJob], Awaitable[object]]


async def mined_and_proved_again(parts: Parts) -> UUID:
    """A mined proof, and the same one in a chunk that no aggregation has yet. The second one."""
    (first,) = await parts.add(1)
    await parts.bring_on_chain()
    (second,) = await parts.rows(_SAME, first)
    await parts.plan()
    await parts.prove_chunks()
    found: UUID = second["id"]
    return found


async def until_waiting(parts: Parts, task: asyncio.Task[None]) -> None:
    """Until a session waits for a lock, or the task needs none."""
    async with asyncio.timeout(30):
        while not task.done() and not await parts.rows(_WAITING):  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.02)


async def change_while_planning(parts: Parts, change: Change) -> None:
    """The change is written, the planner looks, the change is committed."""
    async with parts.db.transaction() as conn:
        job = await aggregations.lease(conn, "mined", [1], 60)
    assert job is not None
    async with parts.db.transaction() as conn:
        await change(conn, job)
        planning = asyncio.create_task(parts.plan())
        await until_waiting(parts, planning)
    await planning


async def test_repeated__root_becomes_final_meanwhile__the_second_one_is_final_too(parts: Parts) -> None:
    await mined_and_proved_again(parts)
    await change_while_planning(parts, aggregations.final)
    assert await parts.states() == ["final", "final"]
    assert await parts.count("proofs", "aggregation_id = 1 AND path IS NOT NULL") == 2


@pytest.mark.parametrize(
    ("change", "first_state", "free"),
    [
        (lambda conn, job: aggregations.failed(conn, job, "refused"), "proving", 2),
        (lambda conn, job: setbacks.revoked(conn, job.root, "revoked"), "rejected", 1),
    ],
)
async def test_repeated__aggregation_fails_meanwhile__the_second_one_is_not_joined_to_it(
    parts: Parts, change: Change, first_state: str, free: int
) -> None:
    second = await mined_and_proved_again(parts)
    await change_while_planning(parts, change)
    assert await parts.states() == [first_state, "proving"]
    (failed,) = await parts.rows("SELECT id FROM aggregations WHERE state = 'failed'")
    assert await parts.count("proofs", "state = 'proving'") == free
    (row,) = await parts.rows("SELECT aggregation_id FROM proofs WHERE id = %s", second)
    assert row["aggregation_id"] != failed["id"]


async def test_same_root__until_the_transaction_ends__the_state_cannot_change(parts: Parts) -> None:
    await parts.add(1)
    await parts.bring_on_chain()
    (known,) = await parts.rows("SELECT id, root FROM aggregations")
    async with parts.db.transaction() as planner, parts.db.transaction() as follower:
        assert await aggregations.same_root(planner, known["root"]) == (known["id"], "mined")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            async with follower.transaction():
                await follower.execute("SELECT 1 FROM aggregations FOR NO KEY UPDATE NOWAIT")
