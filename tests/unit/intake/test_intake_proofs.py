"""Which proofs of a batch are candidates for aggregation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.core.types import ProvingSystem, VerificationData
from aligned.proof_aggregator.intake_proofs import Candidate, candidate

ROOT = b"\x07" * 32
KEY = (Path(__file__).resolve().parents[2] / "vectors" / "sp1" / "fib.vk").read_bytes()
COMPRESSED, GROTH16 = (1).to_bytes(4, "little"), (3).to_bytes(4, "little")
SP1 = VerificationData(ProvingSystem.SP1, COMPRESSED + b"proof", b"values", KEY, None, b"\x09" * 20)
RISC0 = VerificationData(ProvingSystem.RISC0, bytes(4) + b"seal", b"journal", None, b"\x11" * 32, bytes(20))


def of(data: VerificationData, **options: Any) -> Candidate | None:
    systems = options.get("systems", frozenset(AggregationSystem))
    return candidate(
        ROOT, 3, data, systems, options.get("max_bytes", 1_000), options.get("max_public_input_bytes", 100)
    )


def test_candidate__longer_public_input_than_wanted__left_out() -> None:
    assert of(replace(SP1, pub_input=bytes(100))) is not None
    assert of(replace(SP1, pub_input=bytes(101))) is None


@pytest.mark.parametrize("data", [SP1, replace(SP1, verification_key=None, vm_program_code=KEY), RISC0])
def test_candidate__supported_proof__is_one(data: VerificationData) -> None:
    found = of(data)
    assert found is not None
    assert (found.row.batch_root, found.row.batch_index) == (ROOT, 3)
    assert found.row.program_key in (KEY, b"\x11" * 32)


def test_candidate__second_key_that_the_row_does_not_have__is_not_shown_to_the_verifier() -> None:
    found = of(replace(SP1, vm_program_code=b"\x22" * 32))
    assert found is not None
    assert (found.data.verification_key, found.data.vm_program_code) == (KEY, None)
    assert found.data.proof_generator_addr == bytes(20)


@pytest.mark.parametrize(
    "data",
    [
        replace(SP1, proving_system=ProvingSystem.CIRCOM_GROTH16_BN256),
        replace(SP1, proving_system=ProvingSystem(64)),
        replace(SP1, pub_input=None),
        replace(SP1, verification_key=None),
        replace(SP1, verification_key=KEY[:32]),  # the hash alone
        replace(SP1, verification_key=KEY + b"\0"),
        replace(SP1, verification_key=b"\xff" * 104),
        replace(SP1, proof=GROTH16 + b"proof"),
        replace(SP1, proof=bytes.fromhex("4388a21c") + bytes(352)),
        replace(SP1, proof=bytes(1_001)),
        replace(RISC0, vm_program_code=b"\x11" * 33),
        replace(RISC0, proof=(2).to_bytes(4, "little")),
    ],
)
def test_candidate__what_recursion_does_not_take__is_none(data: VerificationData) -> None:
    assert of(data) is None


def test_candidate__system_that_is_not_aggregated_here__is_none() -> None:
    assert of(RISC0, systems=frozenset({AggregationSystem.SP1})) is None


@pytest.mark.parametrize("proof", [b"", b"\x01", b"\x01\0\0"])
def test_candidate__proof_of_a_few_bytes__is_left_to_the_verifier(proof: bytes) -> None:
    assert of(replace(RISC0, proof=proof)) is not None
