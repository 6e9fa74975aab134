"""The guests' logic run natively over real proofs, and what it must refuse."""

from __future__ import annotations

import aligned_native as native
import pytest

from tests.parity.native import Sample, on_chain_sp1, raw, risc0, sp1
from tests.reference import aggregation as plain

SP1 = [sp1("fib_a", "fib"), sp1("fib_b", "fib"), sp1("agg", "agg")]
RISC0 = [risc0("fib3_20_composite"), risc0("fib3_30_composite"), risc0("fib3_20_composite", "receipt")]
SYSTEMS = [(1, SP1), (2, RISC0)]
HASH = b"\x01" + b"\x55" * 31


def item(sample: Sample) -> tuple[bytes, bytes, bytes]:
    """A proof as `native_user_proofs` takes it."""
    return sample.key, sample.public_input or b"", sample.proof


def commitment(system: int, sample: Sample) -> bytes:
    """The plain commitment of a proof."""
    program = native.sp1_vkey_hash(sample.key) if system == 1 else sample.key
    return plain.commitment(sample.public_input or b"", program)


def chunk_of(system: int, samples: list[Sample]) -> tuple[bytes, bytes]:
    """Public values and commitments of a chunk of these proofs."""
    output = native.native_user_proofs(system, [item(sample) for sample in samples])
    return output, b"".join(commitment(system, sample) for sample in samples)


@pytest.mark.parametrize(("system", "samples"), SYSTEMS, ids=["sp1", "risc0"])
def test_native_user_proofs__real_proofs__gives_root_and_count(system: int, samples: list[Sample]) -> None:
    for count in range(1, len(samples) + 1):
        leaves = [plain.leaf(system, commitment(system, sample)) for sample in samples[:count]]
        got = native.native_user_proofs(system, [item(sample) for sample in samples[:count]])
        assert got == plain.root(leaves) + plain.word(count)


@pytest.mark.parametrize(("system", "samples"), SYSTEMS, ids=["sp1", "risc0"])
def test_native_user_proofs__one_proof_twice__is_two_leaves(system: int, samples: list[Sample]) -> None:
    leaf = plain.leaf(system, commitment(system, samples[0]))
    got = native.native_user_proofs(system, [item(samples[0])] * 2)
    assert got == plain.root([leaf, leaf]) + plain.word(2)


@pytest.mark.parametrize(("system", "samples"), SYSTEMS, ids=["sp1", "risc0"])
def test_native_user_proofs__bad_proof__is_named_by_its_index(system: int, samples: list[Sample]) -> None:
    good, (key, values, proof) = item(samples[0]), item(samples[1])
    other_key = SP1[2].key if system == 1 else bytes(32)
    bad = {
        "truncated": (key, values, proof[:-1]),
        "flipped": (key, values, samples[1].flipped(len(proof) // 2).proof),
        "other values": (key, b"\xff" + values[1:], proof),
        "other key": (other_key, values, proof),
        "empty": (b"", b"", b""),
    }
    for name, each in bad.items():
        with pytest.raises(ValueError, match=r"^proof 1: [a-z_]+: "):
            native.native_user_proofs(system, [good, each, good])
            pytest.fail(name)


def test_native_user_proofs__key_as_hash__is_the_same_program() -> None:
    key, values, proof = item(SP1[0])
    assert native.native_user_proofs(1, [(native.sp1_vkey_hash(key), values, proof)]) == (
        native.native_user_proofs(1, [(key, values, proof)])
    )


def test_native_user_proofs__kinds_that_no_guest_can_verify__are_refused() -> None:
    groth16 = Sample(
        "risc0", raw("risc0/groth16_v3.proof"), raw("risc0/groth16_v3.pub"), raw("risc0/groth16_v3.id")
    )
    assert groth16.verdict().valid
    with pytest.raises(ValueError, match="^proof 0: unsupported_version: only Composite and Succinct"):
        native.native_user_proofs(2, [item(groth16)])


def test_native_user_proofs__on_chain_proof_of_sp1__is_refused() -> None:
    wrapped = on_chain_sp1("0x4388a21c")
    assert wrapped.verdict().valid
    with pytest.raises(ValueError, match="^proof 0: unsupported_version: only Compressed"):
        native.native_user_proofs(1, [item(wrapped)])


def test_native_user_proofs__nothing_or_another_system__raises() -> None:
    with pytest.raises(ValueError, match="an empty list"):
        native.native_user_proofs(1, [])
    with pytest.raises(ValueError, match="system"):
        native.native_user_proofs(3, [item(SP1[0])])
    with pytest.raises(ValueError, match="^proof 0: "):
        native.native_user_proofs(2, [item(SP1[0])])


@pytest.mark.parametrize(("system", "samples"), SYSTEMS, ids=["sp1", "risc0"])
def test_native_chunk__two_chunks_of_real_proofs__joins_them(system: int, samples: list[Sample]) -> None:
    chunks = [chunk_of(system, samples[:2]), chunk_of(system, samples[2:])]
    outputs, parts = [chunk[0] for chunk in chunks], [chunk[1] for chunk in chunks]
    commitments = [commitment(system, sample) for sample in samples]
    expected = plain.chunk_public_values(system, commitments, [HASH])
    assert native.native_chunk(system, outputs, parts, [HASH]) == expected


def test_native_chunk__output_not_of_its_commitments__is_named() -> None:
    (first, left), (second, right) = chunk_of(1, SP1[:2]), chunk_of(1, SP1[2:])
    mismatch = "root and count are not those of its commitments"
    wrong_count = first[:63] + b"\x03"
    for outputs, parts, index in [
        ([second, first], [left, right], 0),
        ([first, first], [left, right], 1),
        ([first, second], [left, left], 1),
        ([wrong_count, second], [left, right], 0),
        ([first, second], [left[32:] + left[:32], right], 0),
        ([first, b""], [left, right], 1),
    ]:
        with pytest.raises(ValueError, match=f"^proof {index}: its {mismatch}"):
            native.native_chunk(1, outputs, parts, [HASH])


def test_native_chunk__chunks_of_another_system__are_refused() -> None:
    output, commitments = chunk_of(1, SP1)
    with pytest.raises(ValueError, match="^proof 0: "):
        native.native_chunk(2, [output], [commitments], [HASH])


def test_native_chunk__wrong_numbers_and_lengths__raise() -> None:
    output, commitments = chunk_of(1, SP1)
    for outputs, parts, hashes, message in [
        ([], [], [HASH], "an empty list"),
        ([output], [], [HASH], "1 outputs for 0 chunks"),
        ([output], [b""], [HASH], "an empty list"),
        ([output], [commitments[:-1]], [HASH], "multiple of 32"),
        ([output], [commitments], [], "an empty list"),
        ([output], [commitments], [HASH, HASH], "2 versioned hashes, expected 1"),
        ([output], [commitments], [HASH[1:]], "32 bytes each"),
    ]:
        with pytest.raises(ValueError, match=message):
            native.native_chunk(1, outputs, parts, hashes)
