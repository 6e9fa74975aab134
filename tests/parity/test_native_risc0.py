"""RISC Zero: journal, image id, versions, fake and nested receipts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.parity.native import Sample, raw, risc0
from tests.reference.bls import P

FIB = risc0("fib3_20_composite")
GROTH16 = risc0("groth16_v3")
COMPOSITE, SUCCINCT, GROTH16_KIND, FAKE = (tag.to_bytes(4, "little") for tag in range(4))
PARAMETERS = FIB.proof[-32:]
receipts = pytest.mark.parametrize(
    "sample",
    [FIB, risc0("fib3_20_composite", "receipt"), GROTH16],
    ids=["inner_receipt", "receipt", "groth16"],
)


def length(count: int) -> bytes:
    """A bincode length."""
    return count.to_bytes(8, "little")


def composite(*assumptions: bytes, parameters: bytes = PARAMETERS) -> bytes:
    """A Composite receipt without segments around others."""
    return COMPOSITE + length(0) + length(len(assumptions)) + b"".join(assumptions) + parameters


@receipts
def test_verify_risc0__other_journal__is_refused(sample: Sample) -> None:
    journal = sample.public_input or b""
    for other in (journal + b"\x00", journal[:-1], b"", bytes([journal[0] ^ 1]) + journal[1:]):
        assert sample.code(public_input=other) == "public_input_mismatch"
    assert sample.code(public_input=None) == "missing_public_input"


@receipts
def test_verify_risc0__other_image__is_refused(sample: Sample) -> None:
    for other in (bytes(32), bytes([sample.key[0] ^ 1]) + sample.key[1:], raw("risc0/fib5_20_composite.id")):
        assert sample.code(key=other) == "key_mismatch"


@pytest.mark.parametrize("key", [bytes(31), bytes(33), bytes(64)])
def test_verify_risc0__image_id_of_wrong_length__is_malformed(key: bytes) -> None:
    assert FIB.code(key=key) == "malformed_key"


def test_verify_risc0__program_binary_as_image_id__is_refused_with_the_hint() -> None:
    verdict = replace(FIB, key=b"R0BF" + bytes(100)).verdict()
    assert verdict.code == "key_is_elf"
    assert "image id" in verdict.reason


def test_verify_risc0__journal_changed_in_receipt_and_submission__is_refused() -> None:
    """The journal behind the proof is not proven: only the claim inside counts."""
    sample = risc0("fib3_20_composite", "receipt")
    journal = sample.public_input or b""
    other = bytes([journal[0] ^ 1]) + journal[1:]
    inner, rest = sample.proof[: len(FIB.proof)], sample.proof[len(FIB.proof) :]
    assert inner == FIB.proof
    proof = inner + rest.replace(length(8) + journal, length(8) + other)
    assert proof != sample.proof
    assert sample.code(proof=proof, public_input=other) == "public_input_mismatch"


def test_verify_risc0__composite_of_another_prover__is_accepted() -> None:
    """Made by 3.0.0, not by us."""
    assert risc0("zkverify/3.0.0_poseidon2_16", "receipt").code() == "ok"


def test_verify_risc0__succinct_receipt__is_bound_to_image_and_journal() -> None:
    sample = risc0("zkverify/3.0.0_succinct_16", "receipt")
    assert sample.code() == "ok"
    assert sample.code(public_input=b"\x00" * 8) == "public_input_mismatch"
    assert sample.code(public_input=None) == "missing_public_input"
    assert sample.code(key=FIB.key) == "key_mismatch"


@pytest.mark.parametrize("form", ["proof", "receipt"])
@pytest.mark.parametrize("name", ["fib5_20_composite", "fib5_20_succinct"])
def test_verify_risc0__receipt_of_5_0_0_rc_1__is_refused(name: str, form: str) -> None:
    sample = risc0(name, form)
    assert sample.code() == "unsupported_version"
    assert "3.0" in sample.verdict().reason


def test_verify_risc0__fake_receipt__is_refused() -> None:
    """Claim pruned or in full; the same claim as a real receipt has."""
    pruned = FAKE + (1).to_bytes(4, "little") + bytes(32)
    claim = GROTH16.proof[4 + 8 + 256 : -32]
    for proof in (pruned, FAKE + claim, FAKE):
        assert GROTH16.code(proof=proof) == "fake_receipt"
        receipt = proof + length(len(GROTH16.public_input or b"")) + (GROTH16.public_input or b"") + bytes(32)
        assert GROTH16.code(proof=receipt) == "fake_receipt"


def test_verify_risc0__fake_receipt_as_assumption__is_refused() -> None:
    fake = FAKE + (1).to_bytes(4, "little") + bytes(32)
    for proof in (composite(fake), composite(composite(fake)), composite(composite(), fake)):
        assert FIB.code(proof=proof) == "fake_receipt"
    with_fake = FIB.proof[:-40] + length(1) + fake + PARAMETERS
    assert FIB.proof[-40:-32] == length(0)
    assert FIB.code(proof=with_fake) == "fake_receipt"


def test_verify_risc0__assumption_that_no_segment_made__is_refused() -> None:
    """A real receipt beside the real segments, but the program never asked for it."""
    assert FIB.code(proof=FIB.proof[:-40] + length(1) + FIB.proof + PARAMETERS) == "invalid_proof"


@pytest.mark.parametrize("depth", [9, 1_000, 60_000])
def test_verify_risc0__deeply_nested_receipts__are_refused_without_overflow(depth: int) -> None:
    """Recursion over them would overflow the stack and end the process; 52 bytes a level."""
    opening, closing = COMPOSITE + length(0) + length(1), PARAMETERS
    proof = opening * depth + composite() + closing * depth
    verdict = replace(FIB, proof=proof).verdict()
    assert verdict.code == "malformed_proof"
    assert "too deeply" in verdict.reason


def test_verify_risc0__no_segments__is_refused() -> None:
    assert FIB.code(proof=composite()) == "invalid_proof"
    assert FIB.code(proof=composite(composite())) == "invalid_proof"


def test_verify_risc0__fields_that_the_library_ignores__are_bound() -> None:
    """Verifier parameters and numbering of segments are in no check of the library."""
    end = len(FIB.proof)
    assert FIB.flipped(end - 1).code() == "unsupported_version"
    position = FIB.proof.index(b"poseidon2")
    assert FIB.proof[position - 12 : position - 8] == bytes(4)
    assert FIB.flipped(position - 12).code() == "malformed_proof"
    assert FIB.flipped(position + 9).code() == "unsupported_version"
    assert FIB.code(proof=FIB.proof.replace(b"poseidon2", b"poseidon3")) == "invalid_proof"


def test_verify_risc0__metadata_of_another_version__is_refused() -> None:
    sample = risc0("fib3_20_composite", "receipt")
    assert sample.flipped(len(sample.proof) - 1).code() == "malformed_proof"


def test_verify_risc0__groth16_coordinate_not_canonical__is_refused() -> None:
    start = 4 + 8
    for offset in range(start, start + 256, 32):
        coordinate = int.from_bytes(GROTH16.proof[offset : offset + 32], "big") + P
        proof = GROTH16.proof[:offset] + coordinate.to_bytes(32, "big") + GROTH16.proof[offset + 32 :]
        assert GROTH16.code(proof=proof) == "malformed_proof"


def test_verify_risc0__groth16_any_byte_flipped__is_refused() -> None:
    for position in range(len(GROTH16.proof)):
        assert GROTH16.flipped(position, 1 << position % 8).code() != "ok", position


def test_verify_risc0__groth16_seal_of_wrong_length__is_refused() -> None:
    for size in (0, 255, 260):
        proof = GROTH16_KIND + length(size) + bytes(size) + GROTH16.proof[4 + 8 + 256 :]
        assert GROTH16.code(proof=proof) == "malformed_proof"


def test_verify_risc0__kinds_exchanged__are_refused() -> None:
    for sample in (FIB, GROTH16):
        for kind in (COMPOSITE, SUCCINCT, GROTH16_KIND, (4).to_bytes(4, "little"), b"\xff" * 4):
            if kind != sample.proof[:4]:
                assert sample.code(proof=kind + sample.proof[4:]) == "malformed_proof"
