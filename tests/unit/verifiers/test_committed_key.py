"""A leaf says for which program or key a proof holds; it must be the one that the verifier used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from aligned.core.commitment import aux_commitment, commit
from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.registry import get_verifier

VECTORS = Path(__file__).parents[2] / "vectors"


def raw(name: str) -> bytes:
    """A file of the vectors."""
    return (VECTORS / name).read_bytes()


def proof(
    system: ProvingSystem, name: str, pub: bytes | None, key: str = "", program: str = ""
) -> VerificationData:
    """A real proof."""
    files = (raw(file) if file else None for file in (key, program))
    return VerificationData(system, raw(name), pub, *files, bytes(20))


_META = json.loads(raw("sp1/meta.json"))
_VALUES = bytes.fromhex(_META["proofs"]["fib_a.compressed.proof"]["public_values"].removeprefix("0x"))
SP1 = proof(ProvingSystem.SP1, "sp1/fib_a.compressed.proof", _VALUES, "sp1/fib.vk")
RISC0 = proof(
    ProvingSystem.RISC0,
    "risc0/fib3_20_composite.proof",
    raw("risc0/fib3_20_composite.pub"),
    program="risc0/fib3_20_composite.id",
)
CIRCOM = proof(
    ProvingSystem.CIRCOM_GROTH16_BN256,
    "circom/preimage_a.proof.json",
    raw("circom/preimage_a.public.json"),
    "circom/verification_key.json",
)
OTHER = {
    ProvingSystem.SP1: raw("sp1/agg.vk"),
    ProvingSystem.RISC0: raw("risc0/fib5_20_composite.id"),
    ProvingSystem.CIRCOM_GROTH16_BN256: raw("circom/other_verification_key.json"),
}


def attempts(data: VerificationData) -> Iterator[VerificationData]:
    """The proof with every pair of nothing, its own key, another key and noise in the two fields."""
    own = data.verification_key or data.vm_program_code
    choices = (None, b"", own, OTHER[data.proving_system], b"x" * 40)
    for key, program in product(choices, choices):
        yield replace(data, verification_key=key, vm_program_code=program)


@pytest.mark.parametrize("data", [SP1, RISC0, CIRCOM], ids=lambda data: data.proving_system.wire_name)
def test_verify__key_and_program_in_any_combination__leaf_commits_to_the_key_that_was_used(
    data: VerificationData,
) -> None:
    own = data.verification_key or data.vm_program_code
    verifier, taken = get_verifier(data.proving_system), 0
    for attempt in attempts(data):
        if verifier.verify(attempt).valid:
            assert commit(attempt).aux == aux_commitment(data.proving_system, own, None), attempt
            taken += 1
    assert taken >= 1


def test_verify_circom__key_of_somebody_else_as_program__is_refused() -> None:
    """Anybody proves anything under a key of his own; the leaf would name the other key."""
    verdict = get_verifier(ProvingSystem.CIRCOM_GROTH16_BN256).verify(
        replace(CIRCOM, vm_program_code=OTHER[ProvingSystem.CIRCOM_GROTH16_BN256])
    )
    assert (verdict.valid, verdict.code) == (False, "malformed_key")


def test_verify_circom__key_as_program__is_named() -> None:
    swapped = replace(CIRCOM, verification_key=None, vm_program_code=CIRCOM.verification_key)
    verdict = get_verifier(ProvingSystem.CIRCOM_GROTH16_BN256).verify(swapped)
    assert verdict.code == "missing_key"
    assert "sent as program" in verdict.reason


def test_verify_risc0__image_id_as_key__is_named() -> None:
    swapped = replace(RISC0, verification_key=RISC0.vm_program_code, vm_program_code=None)
    verdict = get_verifier(ProvingSystem.RISC0).verify(swapped)
    assert verdict.code == "missing_key"
    assert "program" in verdict.reason
