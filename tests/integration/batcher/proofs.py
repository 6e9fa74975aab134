"""Real proofs to submit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from aligned.core.types import ProvingSystem, VerificationData

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
GENERATOR = bytes(range(20))


def sp1(name: str, key: str) -> VerificationData:
    proof = (VECTORS / f"sp1/{name}.compressed.proof").read_bytes()
    vk = (VECTORS / f"sp1/{key}.vk").read_bytes()
    values = json.loads((VECTORS / "sp1/meta.json").read_text())["proofs"][f"{name}.compressed.proof"][
        "public_values"
    ]
    return VerificationData(ProvingSystem.SP1, proof, bytes.fromhex(values[2:]), vk, None, GENERATOR)


def risc0(name: str, suffix: str = "proof") -> VerificationData:
    proof, journal, image_id = (
        (VECTORS / f"risc0/{name}.{part}").read_bytes() for part in (suffix, "pub", "id")
    )
    return VerificationData(ProvingSystem.RISC0, proof, journal, None, image_id, GENERATOR)


def circom(name: str) -> VerificationData:
    proof, public, key = (
        (VECTORS / f"circom/{file}.json").read_bytes()
        for file in (f"{name}.proof", f"{name}.public", "verification_key")
    )
    return VerificationData(ProvingSystem.CIRCOM_GROTH16_BN256, proof, public, key, None, GENERATOR)


def small(salt: int = 0) -> VerificationData:
    """A valid proof of a few hundred bytes; `salt` makes another leaf of it."""
    return replace(risc0("groth16_v3"), proof_generator_addr=salt.to_bytes(20, "big"))
