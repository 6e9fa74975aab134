"""SP1 (circuit v6.1.0): Compressed, Groth16 and PLONK proofs as `proof.save()` writes them.

The verifying key, or its 32-byte hash, is in `verification_key` or `vm_program_code`; `pub_input`, where given, must
equal the proof's public values. Without it the leaf commits to no public values, and a contract that asks for some is
told no.
"""

from __future__ import annotations

import aligned_native

from aligned.core.sizes import MAX_SIZE_BYTES
from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.native import NativeVerifier

_SYSTEM = ProvingSystem.SP1


def _verify(data: VerificationData) -> aligned_native.Verdict:
    return aligned_native.verify_sp1(data.proof, data.pub_input, data.verification_key, data.vm_program_code)


def create() -> NativeVerifier:
    """The SP1 verifier."""
    return NativeVerifier(_SYSTEM, "sp1", MAX_SIZE_BYTES[_SYSTEM], _verify)
