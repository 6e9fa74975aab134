"""Circom Groth16 over BN254: proof and verification key as snarkjs JSON.

Public inputs are a JSON list of decimal strings, or 32-byte big-endian words.
"""

from __future__ import annotations

import aligned_native

from aligned.core.errors import MALFORMED_KEY, MISSING_KEY
from aligned.core.sizes import MAX_SIZE_BYTES
from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.base import Verdict, refused
from aligned.verifiers.native import NativeVerifier

_SYSTEM = ProvingSystem.CIRCOM_GROTH16_BN256


def _verify(data: VerificationData) -> aligned_native.Verdict:
    return aligned_native.verify_circom_groth16(
        data.proof, data.pub_input or b"", data.verification_key or b""
    )


def _check(data: VerificationData) -> Verdict | None:
    """The leaf commits to a program before it commits to a key, and no program is verified here: with one, a proof
    under a key of the submitter's own would be committed as one under anybody's.
    """
    if data.vm_program_code is None:
        return None
    if data.verification_key is None:
        return refused(
            MISSING_KEY, "verification_key.json goes into the verification key, it was sent as program"
        )
    return refused(MALFORMED_KEY, "Circom has a verification key and no program; leave the program out")


def create() -> NativeVerifier:
    """The Circom verifier."""
    return NativeVerifier(_SYSTEM, "circom_groth16_bn256", MAX_SIZE_BYTES[_SYSTEM], _verify, _check)
