"""Several aggregators over one database, slow workers, and a database that goes away."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from aligned.core.errors import ConflictError, DependencyError
from aligned.proof_aggregator.chunk_prover import ChunkProver
from aligned.storage.aggregation import chunks
from tests.integration.proof_aggregator.conftest import MakeParts
from tests.integration.proof_aggregator.harness import AggregationRig, Parts


async def test_plan__two_at_once__each_proof_in_one_chunk(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    one, two = make(shared_rig), make(shared_rig)
    await one.add(30)
    await asyncio.gather(one.plan(), two.plan(), one.plan(), two.plan())
    sizes = [row["leaf_count"] for row in await one.rows("SELECT leaf_count FROM chunks ORDER BY id")]
    assert (sum(sizes), await one.states()) == (30, ["proving"] * 30)
    placed = await one.rows("SELECT count(DISTINCT (chunk_id, chunk_position)) AS n FROM proofs")
    assert placed[0]["n"] == 30


async def test_prove__two_at_once__no_chunk_is_proved_twice(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    one, two = make(shared_rig), make(shared_rig)
    await one.add(20)
    await one.plan()
    await asyncio.gather(one.prove_chunks(), two.prove_chunks())
    assert len(one.engine.jobs) + len(two.engine.jobs) == 5
    await asyncio.gather(one.plan(), two.plan())
    assert await one.count("aggregations") == 2


async def test_lease__lost_to_another_worker__the_slow_one_stops_and_writes_nothing(
    shared_rig: AggregationRig, make: MakeParts
) -> None:
    slow, quick = make(shared_rig, patience={"lease_s": 0.4}), make(shared_rig)
    slow.engine.gate = asyncio.Event()
    await slow.add(4)
    await slow.plan()
    working = asyncio.create_task(ChunkProver(slow.context).step())
    async with asyncio.timeout(30):
        while not await slow.count("chunks", "lease_token = 1"):  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.02)
    # As if its renewals had not come through.
    await slow.rows("UPDATE chunks SET leased_until = now() - interval '1 s' RETURNING id")
    assert await ChunkProver(quick.context).step()
    assert await working
    (chunk,) = await slow.rows("SELECT state, result, lease_token FROM chunks")
    assert (chunk["state"], slow.engine.jobs, quick.engine.jobs) == ("proved", [], [4])
    assert 'lease_expiries_total{table="chunks"} 1.0' in quick.context.metrics.render().decode()


async def test_lease__late_result__is_refused(parts: Parts) -> None:
    await parts.add(4)
    await parts.plan()
    async with parts.db.transaction() as conn:
        first = await chunks.lease(conn, [1], 0.0)
    assert first is not None
    await asyncio.sleep(0.01)
    async with parts.db.transaction() as conn:
        second = await chunks.lease(conn, [1], 60.0)
    assert second is not None
    assert (second.lease.token, second.lease.taken_over) == (2, True)
    with pytest.raises(ConflictError, match="lease_lost"):
        async with parts.db.transaction() as conn:
            await chunks.finish(conn, first, "mine")
    assert await parts.states("chunks") == ["proving"]


async def test_lease__worker_lives__is_renewed(shared_rig: AggregationRig, make: MakeParts) -> None:
    parts = make(shared_rig, patience={"lease_s": 1.0})
    parts.engine.gate = asyncio.Event()
    await parts.add(4)
    await parts.plan()
    working = asyncio.create_task(ChunkProver(parts.context).step())
    async with asyncio.timeout(60):
        while not await parts.count("chunks", "leased_until > created_at + interval '3 s'"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    parts.engine.gate.set()
    assert await working
    assert (await parts.states("chunks"), await parts.count("chunks", "lease_token = 1")) == (["proved"], 1)


async def test_database__connections_cut_while_proving__goes_on(parts: Parts, postgres: str) -> None:
    parts.engine.gate = asyncio.Event()
    await parts.add(4)
    await parts.plan()
    working = asyncio.create_task(ChunkProver(parts.context).step())
    async with asyncio.timeout(30):
        while not await parts.count("chunks", "lease_token = 1"):  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.02)
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    parts.engine.gate.set()
    try:
        assert await working
    except DependencyError:
        await parts.rows("UPDATE chunks SET leased_until = 'epoch' RETURNING id")
    await parts.prove_chunks()
    await parts.plan()
    await parts.prove_final()
    await parts.publish_until_settled()
    assert await parts.states() == ["mined"] * 4
