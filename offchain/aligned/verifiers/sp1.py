"""SP1 (circuit v6.1.0): Compressed, Groth16 and PLONK proofs as `proof.save()` writes them.

The verifying key, or its 32-byte hash, is in `verification_key` or `vm_program_code`; `pub_input`, where given, must
equal the proof's public values.
"""

from __future__ import annotations

import aligned_native

from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.native import NativeVerifier

_MAX_PROOF_BYTES = 16 * 1024 * 1024


def _verify(data: VerificationData) -> aligned_native.Verdict:
    return aligned_native.verify_sp1(data.proof, data.pub_input, data.verification_key, data.vm_program_code)


def create() -> NativeVerifier:
    """The SP1 verifier."""
    return NativeVerifier(ProvingSystem.SP1, "sp1", _MAX_PROOF_BYTES, _verify)
