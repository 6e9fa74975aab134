"""What an aggregating program can verify: the same answer for gateway, intake and native engine."""

from __future__ import annotations

from dataclasses import replace

import aligned_native as native
import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.verifiers.kinds import aggregated_data
from aligned.verifiers.registry import verifier_of
from tests import sp1_digest
from tests.parity.native import Sample, risc0, sp1
from tests.sp1_digest import BLAKE3_OF_FIB_A as BLAKE3

FIB = sp1("fib_a", "fib")
RECEIPT = risc0("fib3_20_composite")
SYSTEMS = {"sp1": AggregationSystem.SP1, "risc0": AggregationSystem.RISC0}


def committed_by(sample: Sample, digest: bytes) -> Sample:
    """The proof with another digest of its public values."""
    return replace(sample, proof=sp1_digest.committed_by(sample.proof, sample.public_input or b"", digest))


def verdicts(sample: Sample) -> list[tuple[bool, str, str]]:
    """What gateway and intake say about it (by the verifier of their pool), and what the native engine says."""
    system, inputs = SYSTEMS[sample.system], sample.public_input or b""
    data = aggregated_data(system, sample.proof, sample.key, inputs)
    asked = verifier_of(data).verify(data)
    try:
        native.native_user_proofs(int(system), [(sample.key, inputs, sample.proof)])
    except ValueError as error:
        _proof, code, reason = str(error).split(": ", 2)
        return [(asked.valid, asked.code, asked.reason), (False, code, reason)]
    return [(asked.valid, asked.code, asked.reason), (True, "ok", "")]


@pytest.mark.parametrize("sample", [FIB, sp1("agg", "agg"), RECEIPT, risc0("fib3_30_composite", "receipt")])
def test_verify_aggregatable__real_proof__is_valid_for_all_who_ask(sample: Sample) -> None:
    assert set(verdicts(sample)) == {(True, "ok", "")}


def test_verify_aggregatable__public_values_committed_by_blake3__are_refused_by_all_who_ask() -> None:
    """The plain verifier takes such programs; the system call of an aggregating program hashes with SHA-256 only."""
    [asked, proved] = verdicts(committed_by(FIB, BLAKE3))
    assert asked == proved
    assert asked[:2] == (False, "unsupported_version")
    for said in ("BLAKE3", "expected SHA-256", "without the feature `blake3` of sp1-zkvm"):
        assert said in asked[2]


def test_verify_aggregatable__digest_of_neither_hash__is_an_invalid_proof() -> None:
    changed = bytes([BLAKE3[0] ^ 1]) + BLAKE3[1:]
    assert [code for _valid, code, _reason in verdicts(committed_by(FIB, changed))] == ["invalid_proof"] * 2


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (replace(FIB, public_input=b"other"), "public_input_mismatch"),
        (replace(FIB, key=sp1("agg", "agg").key), "key_mismatch"),
        (replace(FIB, proof=FIB.proof[:-1]), "malformed_proof"),
        (replace(FIB, proof=(3).to_bytes(4, "little") + FIB.proof[4:]), "malformed_proof"),
        (risc0("groth16_v3"), "unsupported_version"),
        (replace(RECEIPT, public_input=b""), "public_input_mismatch"),
        (replace(RECEIPT, key=bytes(32)), "key_mismatch"),
        (replace(RECEIPT, key=bytes(31)), "malformed_key"),
    ],
)
def test_verify_aggregatable__what_no_guest_can_verify__is_refused_by_all_who_ask(
    sample: Sample, code: str
) -> None:
    assert [code for _valid, code, _reason in verdicts(sample)] == [code] * 2


def test_verify_aggregatable__another_system__raises() -> None:
    with pytest.raises(ValueError, match="system: got 3"):
        native.verify_aggregatable(3, b"", b"", b"")
