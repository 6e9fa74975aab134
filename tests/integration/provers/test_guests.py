"""Both guests of both systems, in the executor, over real user proofs and the real chunk proofs of the fixtures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aligned.chain.kzg import hashes_of, open_blob
from aligned.core.aggregation import AggregationSystem, ChunkOutput, tree_of, user_proofs_output
from aligned.core.blob import challenge, encode_blobs
from aligned.provers.base import ChunkResult
from aligned.provers.errors import BadProof, JobMalformed, UnsupportedLevel
from aligned.provers.levels import ProvingLevel
from aligned.provers.results import load_chunk
from tests.aggregation_proofs import RISC0, SP1, Aggregation, Statement, aggregation, sample_proofs
from tests.integration.provers.conftest import Engines

EXECUTE = ProvingLevel.EXECUTE
GUEST_FIGURES = Path(__file__).resolve().parents[3] / "bench" / "guests.json"
PROOFS_LEVEL = {SP1: ProvingLevel.COMPRESSED, RISC0: ProvingLevel.COMPOSITE}
systems = pytest.mark.parametrize("system", list(AggregationSystem), ids=lambda system: system.wire_name)


def stored(folder: Path, system: AggregationSystem, statement: Statement) -> ChunkResult:
    """A result folder as the prover leaves it."""
    folder.mkdir()
    (folder / "proof.bin").write_bytes(statement.proof)
    (folder / "public_values.bin").write_bytes(statement.public_values)
    summary = {
        "system": system.wire_name,
        "level": PROOFS_LEVEL[system],
        "program": "user_proofs",
        "program_id": "0x" + "00" * 32,
        "public_values": "0x" + statement.public_values.hex(),
        "cycles": 0,
        "seconds": 0.0,
        "peak_rss_bytes": 0,
        "checked": [],
        "not_checked": [],
    }
    (folder / "result.json").write_text(json.dumps(summary))
    return load_chunk(folder)


def children(tmp_path: Path, known: Aggregation) -> list[ChunkResult]:
    return [
        stored(tmp_path / f"child_{index}", known.system, chunk.statement)
        for index, chunk in enumerate(known.chunks)
    ]


@systems
async def test_user_proofs__real_proofs__root_of_their_leaves(
    system: AggregationSystem, engine_of: Engines
) -> None:
    known = aggregation(system)
    async with engine_of(EXECUTE) as engine:
        for chunk, commitments in zip(known.chunks, known.commitments, strict=True):
            result = await engine.user_proofs(
                system, [each.user_proof for each in chunk.user_proofs], commitments
            )
            assert result.public_values == user_proofs_output(
                tree_of(system, commitments).root, len(commitments)
            )
            assert result.public_values == chunk.statement.public_values
            assert result.cycles > 0
            assert any("executed, not proven" in text for text in result.not_checked)


async def test_user_proofs__one_proof_more__costs_no_more_cycles_than_recorded(engine_of: Engines) -> None:
    figures = json.loads(GUEST_FIGURES.read_text())["sp1"]["user_proofs"]
    proofs = sample_proofs(SP1)[:2]
    commitments = [proof.commitment(SP1) for proof in proofs]
    async with engine_of(EXECUTE) as engine:
        cycles = [
            (await engine.user_proofs(SP1, [each.user_proof for each in proofs[:n]], commitments[:n])).cycles
            for n in (1, 2)
        ]
    # The inputs' lengths move it by a few cycles.
    assert cycles[1] - cycles[0] <= 1.05 * figures["marginal_cycles_per_proof"] < figures["bar"]


@systems
async def test_chunk__real_chunk_proofs__public_values_of_the_real_final_proof(
    system: AggregationSystem, engine_of: Engines, tmp_path: Path
) -> None:
    known = aggregation(system)
    async with engine_of(EXECUTE) as engine:
        final = await engine.chunk(
            system, children(tmp_path, known), known.commitments, known.versioned_hashes
        )
    assert final.public_values == known.final.public_values
    assert "2 chunk proofs, by the verifier of the proving system" in final.checked
    assert not any("chunk" in text and "no proof" in text for text in final.not_checked)


@systems
async def test_chunk__executed_chunks__root_count_and_value_of_the_blob(
    system: AggregationSystem, engine_of: Engines
) -> None:
    proofs = sample_proofs(system)
    commitments = [proof.commitment(system) for proof in proofs]
    parts = [(proofs[:1], commitments[:1]), (proofs[1:], commitments[1:])]
    blobs = encode_blobs(commitments)
    async with engine_of(EXECUTE) as engine:
        chunks = [
            await engine.user_proofs(system, [each.user_proof for each in part], own) for part, own in parts
        ]
        final = await engine.chunk(system, chunks, [own for _, own in parts], hashes_of(blobs))
    output = ChunkOutput.decode(final.public_values)
    point = challenge(output.root, output.leaf_count, output.blobs[0].versioned_hash)
    assert (output.root, output.leaf_count) == (tree_of(system, commitments).root, len(proofs))
    assert output.blobs[0].y == open_blob(blobs[0], point).y
    assert any("2 chunks were executed only" in text for text in final.not_checked)
    assert final.proof[32] == 2
    assert len(final.proof) == 65


@systems
async def test_user_proofs__one_bad_proof__is_named(system: AggregationSystem, engine_of: Engines) -> None:
    first, second = sample_proofs(system)[:2]
    flipped = bytearray(second.proof)
    flipped[len(flipped) // 2] ^= 1
    wrong = [
        replace(second, proof=bytes(flipped)),
        replace(second, proof=second.proof[:-100]),
        replace(second, proof=b""),
        replace(second, key=bytes(len(second.key))),
        replace(second, key=b""),
        replace(second, public_values=first.public_values),
    ]
    async with engine_of(EXECUTE) as engine:
        for bad in wrong:
            pair = [first, bad]
            with pytest.raises(BadProof) as refusal:
                await engine.user_proofs(system, [each.user_proof for each in pair], [bytes(32), bytes(32)])
            assert refusal.value.index == 1, refusal.value


async def test_user_proofs__fake_receipt__is_a_bad_proof(
    engine_of: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the owner's environment asks for RISC Zero's development mode."""
    monkeypatch.setenv("RISC0_DEV_MODE", "1")
    fake = (3).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(32)
    real = sample_proofs(RISC0)[0]
    async with engine_of(EXECUTE) as engine:
        with pytest.raises(BadProof) as refusal:
            await engine.user_proofs(RISC0, [replace(real, proof=fake).user_proof], [real.commitment(RISC0)])
    assert refusal.value.index == 0


@systems
async def test_chunk__proof_of_another_program__is_refused(
    system: AggregationSystem, engine_of: Engines, tmp_path: Path
) -> None:
    """A user may prove any program; one that says the same as `user_proofs` must not pass for it."""
    known = aggregation(system)
    chunks = children(tmp_path, known)
    for other in (known.chunks[0].user_proofs[0].proof, known.final.proof, known.chunks[0].statement.proof):
        (chunks[1].directory / "proof.bin").write_bytes(other)
        async with engine_of(EXECUTE) as engine:
            with pytest.raises(BadProof) as refusal:
                await engine.chunk(system, chunks, known.commitments, known.versioned_hashes)
        assert refusal.value.index == 1


@systems
async def test_chunk__root_or_count_not_of_the_commitments__is_refused(
    system: AggregationSystem, engine_of: Engines, tmp_path: Path
) -> None:
    known = aggregation(system)
    chunks = children(tmp_path, known)
    first, second = known.commitments
    async with engine_of(EXECUTE) as engine:
        for commitments in (
            [first, first],
            [first, second[:1]],
            [first, [*second, bytes(32)]],
            [second, first],
        ):
            with pytest.raises(BadProof, match="root or count"):
                await engine.chunk(system, chunks, commitments, known.versioned_hashes)


@systems
async def test_chunk__wrong_number_of_blobs__is_refused_by_the_guest(
    system: AggregationSystem, engine_of: Engines, tmp_path: Path
) -> None:
    known = aggregation(system)
    chunks = children(tmp_path, known)
    async with engine_of(EXECUTE) as engine:
        for hashes in ([], [*known.versioned_hashes, bytes(32)]):
            with pytest.raises(JobMalformed, match="guest"):
                await engine.chunk(system, chunks, known.commitments, hashes)


@systems
async def test_engine__level_that_the_worker_has_not__says_what_is_missing(
    system: AggregationSystem, engine_of: Engines
) -> None:
    proof = sample_proofs(system)[0]
    async with engine_of(PROOFS_LEVEL[system]) as engine:
        with pytest.raises(UnsupportedLevel, match="built without the prover"):
            await engine.user_proofs(system, [proof.user_proof], [proof.commitment(system)])
