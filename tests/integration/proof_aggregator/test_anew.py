"""What is to be proved anew is not taken from the results that were bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.core.errors import AlignedError
from aligned.provers.errors import PROVER_CRASHED, BadProof, JobMalformed, ProverFailed
from aligned.provers.results import final_folders
from tests.integration.proof_aggregator.harness import SP1, Parts


async def two_chunks(parts: Parts) -> list[Path]:
    """An aggregation of two proved chunks; their result folders."""
    await parts.add(6)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    return [Path(row["result"]) for row in await parts.rows("SELECT result FROM chunks ORDER BY position")]


async def prove_until_given_up(parts: Parts) -> None:
    for _ in range(parts.context.patience.max_attempts):
        await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
        await parts.prove_final()
    assert await parts.states("aggregations") == ["failed"]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (BadProof("chunk 1", 1), [True, False]),
        (BadProof("a chunk", None), [False, False]),
        (BadProof("no such chunk", 2), [False, False]),
        (JobMalformed("no"), [False, False]),
        (ProverFailed(PROVER_CRASHED, "no"), [False, False]),
    ],
)
async def test_final_proof__fails_again_and_again__suspects_lose_their_results(
    parts: Parts, error: AlignedError, kept: list[bool]
) -> None:
    results = await two_chunks(parts)
    parts.engine.refuses = error
    await prove_until_given_up(parts)
    assert [result.exists() for result in results] == kept
    assert await parts.states("chunks") == ["proved" if each else "proving" for each in kept]
    parts.engine.refuses = None
    await parts.prove_chunks()
    await parts.rows("UPDATE aggregations SET updated_at = now() - interval '1 hour' RETURNING id")
    await parts.plan()
    await parts.prove_final()
    assert await parts.states("aggregations") == ["failed", "proved"]


async def test_final_proof__result_of_a_chunk_is_damaged__only_that_one_is_removed(parts: Parts) -> None:
    first, second = await two_chunks(parts)
    (second / "public_values.bin").write_bytes(b"")
    await parts.prove_final()
    assert await parts.states("chunks") == ["proved", "proving"]
    assert (first.exists(), second.exists()) == (True, False)


async def test_final_proof__wrong_output__is_not_kept(parts: Parts) -> None:
    first, _second = await two_chunks(parts)
    parts.engine.lies = lambda values: values[:-1] + bytes([values[-1] ^ 1])
    await parts.prove_final()
    assert parts.engine.final_jobs == 1
    assert not final_folders(first.parent, SP1)
    parts.engine.lies = bytes
    await parts.rows("UPDATE aggregations SET next_try_at = now() RETURNING id")
    await parts.prove_final()
    assert await parts.states("aggregations") == ["proved"]
