"""What a killed aggregator left on the disk goes, and nothing that is in use."""

from __future__ import annotations

from pathlib import Path

from aligned.provers.results import final_folders
from tests.integration.proof_aggregator.harness import RISC0, SP1, Parts


def leave(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "0.proof").write_bytes(b"proof")
    return folder


async def test_prove__inputs_of_a_killed_holder__go_when_the_chunk_is_taken_over(parts: Parts) -> None:
    await parts.add(4)
    await parts.plan()
    (chunk,) = await parts.rows("UPDATE chunks SET lease_token = 7 RETURNING id")
    number, inputs = chunk["id"], parts.context.input_dir
    old = [leave(inputs / f"chunk-{number}-{token}") for token in (1, 7)]
    used = [
        leave(inputs / name) for name in (f"chunk-{number}-9", f"chunk-{number}0-1", f"chunk-{number + 1}-1")
    ]
    await parts.prove_chunks()
    assert await parts.states("chunks") == ["proved"]
    assert not any(folder.exists() for folder in old)
    assert sorted(inputs.iterdir()) == sorted(used)


async def test_clean__final_proof_left_by_a_death__goes_when_no_aggregation_waits_for_one(
    parts: Parts,
) -> None:
    await parts.add(3)
    await parts.plan()
    await parts.prove_chunks()
    await parts.plan()
    results = parts.context.engine_dir
    left = leave(results / "sp1-chunk-native-00")
    await parts.clean()
    assert left.exists()
    await parts.prove_final()
    assert await parts.states("aggregations") == ["proved"]
    other = leave(results / "risc0-user_proofs-native-00")
    chunks = {other, *results.glob("sp1-user_proofs-*")}
    await parts.clean()
    assert final_folders(results, SP1) == final_folders(results, RISC0) == []
    assert set(results.iterdir()) == chunks
