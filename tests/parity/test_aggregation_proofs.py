"""The stored aggregations: real proofs of our own guests, verified by the verify-only crates, bound to every input."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aligned.chain.kzg import hashes_of, open_blob
from aligned.core.aggregation import (
    AggregationSystem,
    BlobPoint,
    ChunkOutput,
    tree_of,
    user_proofs_output,
)
from aligned.core.blob import challenge, encode_blobs
from tests.aggregation_proofs import (
    GUESTS,
    RISC0,
    SP1,
    Aggregation,
    Statement,
    aggregation,
    described,
    guest_key,
)

systems = pytest.mark.parametrize("system", list(AggregationSystem), ids=lambda system: system.wire_name)


def all_commitments(known: Aggregation) -> list[bytes]:
    return [each for part in known.commitments for each in part]


def expected_output(known: Aggregation) -> ChunkOutput:
    """From the user proofs alone, with KZG by c-kzg."""
    commitments = all_commitments(known)
    root, (blob,) = tree_of(known.system, commitments).root, encode_blobs(commitments)
    (versioned_hash,) = hashes_of([blob])
    y = open_blob(blob, challenge(root, len(commitments), versioned_hash)).y
    return ChunkOutput(root, len(commitments), (BlobPoint(versioned_hash, y),))


@systems
def test_aggregation__real_proofs_of_every_layer__verify(system: AggregationSystem) -> None:
    known = aggregation(system)
    user_proofs = [proof for chunk in known.chunks for proof in chunk.user_proofs]
    assert len(user_proofs) >= 4
    assert len(known.chunks) >= 2
    for statement in [*user_proofs, *(chunk.statement for chunk in known.chunks), known.final]:
        verdict = statement.verdict(system)
        assert verdict.valid, verdict


@systems
def test_aggregation__public_values__follow_from_the_user_proofs(system: AggregationSystem) -> None:
    known = aggregation(system)
    for chunk, commitments in zip(known.chunks, known.commitments, strict=True):
        root = tree_of(system, commitments).root
        assert chunk.statement.public_values == user_proofs_output(root, len(commitments))
    assert known.final.public_values == expected_output(known).encode()
    assert list(known.versioned_hashes) == [blob.versioned_hash for blob in expected_output(known).blobs]


@systems
def test_aggregation__programs__are_those_of_this_release(system: AggregationSystem) -> None:
    ids = json.loads((GUESTS / "program_ids.json").read_text())[system.wire_name]
    stored = described(system)
    assert {chunk["program_id"] for chunk in stored["chunks"]} == {ids["user_proofs"]["program_id"]}
    assert stored["final"]["program_id"] == ids["chunk"]["program_id"]


@systems
def test_aggregation__proof_of_one_program_as_that_of_another__is_refused(system: AggregationSystem) -> None:
    """No guest passes for another one, and no user's program for a guest."""
    known = aggregation(system)
    child, final = known.chunks[0].statement, known.final
    user = known.chunks[0].user_proofs[0]
    for statement, key in [
        (child, guest_key(system, "chunk")),
        (final, guest_key(system, "user_proofs")),
        (user, guest_key(system, "user_proofs")),
        (user, guest_key(system, "chunk")),
    ]:
        assert replace(statement, key=key).verdict(system).code == "key_mismatch"


@systems
def test_aggregation__other_public_values__are_refused(system: AggregationSystem) -> None:
    known = aggregation(system)
    output = ChunkOutput.decode(known.final.public_values)
    (blob,) = output.blobs
    count = known.final.public_values[32:64]
    more = (int.from_bytes(count, "big") + 1).to_bytes(32, "big")
    claimed = [
        known.final.public_values.replace(count, more),
        replace(output, root=bytes(32)).encode(),
        replace(output, blobs=(replace(blob, versioned_hash=bytes(32)),)).encode(),
        replace(output, blobs=(replace(blob, y=bytes(32)),)).encode(),
        known.final.public_values[:64],
        known.final.public_values + bytes(64),
    ]
    for public_values in claimed:
        assert (
            replace(known.final, public_values=public_values).verdict(system).code == "public_input_mismatch"
        )


@systems
def test_aggregation__chunk_as_if_it_had_another_count__is_refused(system: AggregationSystem) -> None:
    chunk = aggregation(system).chunks[0].statement
    values = chunk.public_values[:32] + (1).to_bytes(32, "big")
    assert replace(chunk, public_values=values).verdict(system).code == "public_input_mismatch"


@systems
def test_aggregation__changed_or_cut_proof__is_refused(system: AggregationSystem) -> None:
    final = aggregation(system).final
    for position in range(0, len(final.proof), len(final.proof) // 13):
        changed = bytearray(final.proof)
        changed[position] ^= 1
        assert not replace(final, proof=bytes(changed)).verdict(system).valid, position
    for length in (0, 4, len(final.proof) // 2, len(final.proof) - 1):
        assert not replace(final, proof=final.proof[:length]).verdict(system).valid, length
    assert not replace(final, proof=final.proof + b"\0").verdict(system).valid


def test_aggregation__fake_receipt_with_the_real_claim__is_refused() -> None:
    final = aggregation(RISC0).final
    fake = (3).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(32)
    assert replace(final, proof=fake).verdict(RISC0).code == "fake_receipt"


def test_aggregation__composite_receipt_without_its_chunks__is_refused() -> None:
    """It holds the receipts of what its guest verified: without them nothing vouches for the chunks."""
    known = aggregation(RISC0)
    final, child = known.final, known.chunks[0].statement
    assert child.proof[4:] in final.proof
    without = final.proof.replace(child.proof, b"")
    assert not replace(final, proof=without).verdict(RISC0).valid
    user = Statement(known.chunks[0].user_proofs[0].proof, child.key, child.public_values)
    swapped = final.proof.replace(child.proof, user.proof)
    assert not replace(final, proof=swapped).verdict(RISC0).valid


def test_aggregation__proofs_of_the_two_systems__are_not_interchangeable() -> None:
    sp1, risc0 = aggregation(SP1).final, aggregation(RISC0).final
    assert not replace(sp1, proof=risc0.proof).verdict(SP1).valid
    assert not replace(risc0, proof=sp1.proof).verdict(RISC0).valid
