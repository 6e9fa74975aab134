"""RISC0 3.0: Composite, Succinct and Groth16 receipts (bincode, with or without the journal).

The image id is in `vm_program_code`, the journal in `pub_input`.
"""

from __future__ import annotations

import aligned_native

from aligned.core.errors import MALFORMED_KEY, MISSING_KEY
from aligned.core.sizes import MAX_SIZE_BYTES
from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.base import Verdict, refused
from aligned.verifiers.native import NativeVerifier

_SYSTEM = ProvingSystem.RISC0


def _verify(data: VerificationData) -> aligned_native.Verdict:
    return aligned_native.verify_risc0(data.proof, data.pub_input, data.vm_program_code or b"")


def _check(data: VerificationData) -> Verdict | None:
    """No byte goes along that nothing looks at."""
    if data.verification_key is None:
        return None
    if data.vm_program_code is None:
        return refused(
            MISSING_KEY, "the image id (32 bytes) goes into the program, it was sent as verification key"
        )
    return refused(MALFORMED_KEY, "RISC Zero has an image id and no verification key; leave the key out")


def create() -> NativeVerifier:
    """The RISC0 verifier."""
    return NativeVerifier(_SYSTEM, "risc0", MAX_SIZE_BYTES[_SYSTEM], _verify, _check)
