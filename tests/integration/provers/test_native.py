"""The level `native`: the guests' code on this machine, over real proofs, in its own process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aligned.chain.kzg import hashes_of, open_blob
from aligned.core.aggregation import AggregationSystem, ChunkOutput, dev_proof, tree_of
from aligned.core.blob import challenge, encode_blobs
from aligned.provers.commands import worker_command
from aligned.provers.errors import BadProof, JobMalformed, UnsupportedLevel
from aligned.provers.levels import ProvingLevel
from aligned.provers.process import ProcessEngine
from aligned.provers.programs import load_program_ids
from aligned.provers.results import STAND_IN
from aligned.provers.worker import Worker, WorkerCommand
from tests.aggregation_proofs import RISC0, SP1, VECTORS, Statement, sample_proofs

systems = pytest.mark.parametrize("system", list(AggregationSystem), ids=lambda system: system.wire_name)


def engine(tmp_path: Path) -> ProcessEngine:
    def commands(system: AggregationSystem, level: ProvingLevel) -> WorkerCommand:
        return worker_command(system, level, tmp_path / "log")

    return ProcessEngine(ProvingLevel.NATIVE, tmp_path / "results", commands, timeout_s=120)


@systems
async def test_native__real_proofs_in_two_chunks__public_values_of_the_contract(
    system: AggregationSystem, tmp_path: Path
) -> None:
    proofs = sample_proofs(system)
    commitments = [proof.commitment(system) for proof in proofs]
    blobs = encode_blobs(commitments)
    async with engine(tmp_path) as native:
        first = await native.user_proofs(system, [proofs[0].user_proof], commitments[:1])
        second = await native.user_proofs(system, [each.user_proof for each in proofs[1:]], commitments[1:])
        chunks = [commitments[:1], commitments[1:]]
        final = await native.chunk(system, [first, second], chunks, hashes_of(blobs))
    output = ChunkOutput.decode(final.public_values)
    assert (output.root, output.leaf_count) == (tree_of(system, commitments).root, len(proofs))
    point = challenge(output.root, output.leaf_count, output.blobs[0].versioned_hash)
    assert output.blobs[0].y == open_blob(blobs[0], point).y
    program = load_program_ids()[system].chunk
    assert final.proof == dev_proof(1, program, final.public_values)
    assert final.not_checked == ("no zkVM ran: the guests' code ran natively", STAND_IN)


@systems
async def test_native__chunk_that_is_listed_twice__is_a_filler(
    system: AggregationSystem, tmp_path: Path
) -> None:
    """Where a root was revoked, the same leaves once more make another one."""
    proofs = sample_proofs(system)[:1]
    commitments = [proofs[0].commitment(system)]
    async with engine(tmp_path) as native:
        first = await native.user_proofs(system, [proofs[0].user_proof], commitments)
        hashes = hashes_of(encode_blobs(commitments * 2))
        final = await native.chunk(system, [first, first], [commitments, commitments], hashes)
    output = ChunkOutput.decode(final.public_values)
    assert (output.root, output.leaf_count) == (tree_of(system, commitments * 2).root, 2)


@systems
async def test_native__one_bad_proof__is_named(system: AggregationSystem, tmp_path: Path) -> None:
    first, second = sample_proofs(system)[:2]
    fake = (3).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(32)
    wrong: list[Statement] = [
        replace(second, proof=second.proof[:-100]),
        replace(second, proof=fake),
        replace(second, public_values=first.public_values),
        replace(second, key=bytes(len(second.key))),
    ]
    async with engine(tmp_path) as native:
        for bad in wrong:
            with pytest.raises(BadProof) as refusal:
                await native.user_proofs(system, [first.user_proof, bad.user_proof], [bytes(32), bytes(32)])
            assert refusal.value.index == 1


async def test_native__groth16_receipt__is_a_bad_proof(tmp_path: Path) -> None:
    """It verifies natively, but no guest can verify it."""
    sample = sample_proofs(RISC0)[0]
    groth16 = Statement(
        *((VECTORS / f"risc0/groth16_v3.{part}").read_bytes() for part in ("proof", "id", "pub"))
    )
    assert groth16.verdict(RISC0).valid
    async with engine(tmp_path) as native:
        with pytest.raises(BadProof) as refusal:
            await native.user_proofs(RISC0, [sample.user_proof, groth16.user_proof], [bytes(32), bytes(32)])
    assert refusal.value.index == 1


async def test_native__chunk_that_is_not_its_commitments__is_malformed(tmp_path: Path) -> None:
    proof = sample_proofs(SP1)[0]
    known = [proof.commitment(SP1)]
    async with engine(tmp_path) as native:
        chunk = await native.user_proofs(SP1, [proof.user_proof], known)
        for commitments in ([bytes(32)], [*known, *known]):
            with pytest.raises(JobMalformed):
                await native.chunk(SP1, [chunk], [commitments], hashes_of(encode_blobs(commitments)))


async def test_native__request_for_another_level__is_unsupported(tmp_path: Path) -> None:
    worker = await Worker.start(worker_command(SP1, ProvingLevel.NATIVE, tmp_path / "log"))
    request = {"id": "a", "op": "user_proofs", "level": "execute", "proofs": [], "out": str(tmp_path / "out")}
    try:
        with pytest.raises(UnsupportedLevel):
            await worker.ask(request, 60, lambda step, at: None)
    finally:
        await worker.kill()
