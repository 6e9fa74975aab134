"""An aggregator brought to one stage of its work, again and again over one database, and its single steps."""

from __future__ import annotations

from aligned.proof_aggregator.chunk_prover import ChunkProver
from aligned.proof_aggregator.final_prover import FinalProver
from aligned.proof_aggregator.publisher import Publisher
from tests.integration.proof_aggregator.harness import SP1, Parts


async def leases_end(parts: Parts) -> None:
    """As if the time of whoever died over a row were over."""
    for table in ("chunks", "aggregations"):
        await parts.rows(f"UPDATE {table} SET leased_until = 'epoch', next_try_at = now() RETURNING id")


async def begin(parts: Parts, count: int = 2) -> None:
    """Proofs that wait, and nothing else."""
    await parts.rows("DELETE FROM proofs RETURNING id")
    await parts.rows("DELETE FROM chunks RETURNING id")
    await parts.rows("DELETE FROM aggregations RETURNING id")
    await parts.add(count)


async def begin_joined(parts: Parts) -> None:
    """An aggregation whose chunks are proved."""
    await begin(parts)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    assert await parts.states("aggregations") == ["proving"]


async def begin_proved(parts: Parts) -> None:
    """An aggregation with its final proof."""
    await begin_joined(parts)
    await parts.prove_final()
    assert await parts.states("aggregations") == ["proved"]


async def planner_step(parts: Parts) -> object:
    return await parts.planner().step()


async def chunk_step(parts: Parts) -> object:
    return await ChunkProver(parts.context).step()


async def final_step(parts: Parts) -> object:
    return await FinalProver(parts.context, parts.context.lines[SP1]).step()


async def publish_step(parts: Parts) -> object:
    return await Publisher(parts.context, parts.context.lines[SP1]).step()


async def each_in_one_chunk(parts: Parts, count: int = 2) -> None:
    """Every proof is in one chunk, and every chunk that goes on has all the proofs that it says."""
    chunks = await parts.rows(
        "SELECT c.leaf_count, count(p.id) AS found FROM chunks c LEFT JOIN proofs p ON p.chunk_id = c.id"
        " WHERE c.state <> 'split' GROUP BY c.id"
    )
    assert all(row["leaf_count"] == row["found"] for row in chunks)
    assert sum(row["found"] for row in chunks) == count == await parts.count("proofs")
