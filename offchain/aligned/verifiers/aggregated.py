"""The verifiers of aggregation mode: they take what an aggregating program can verify, and nothing else.

One function of the native extension decides for the gateway, for the intake, and for the engine that runs the programs
natively; the prover workers check the same before they prove.
"""

from __future__ import annotations

import aligned_native

from aligned.core.aggregation import AggregationSystem
from aligned.core.types import VerificationData
from aligned.verifiers import risc0, sp1
from aligned.verifiers.native import NativeVerifier


def create(system: AggregationSystem) -> NativeVerifier:
    """The verifier of a system; what it takes is as large as in the fast mode."""

    def verify(data: VerificationData) -> aligned_native.Verdict:
        key = data.verification_key or data.vm_program_code or b""
        return aligned_native.verify_aggregatable(int(system), data.proof, data.pub_input or b"", key)

    plain = sp1.create() if system is AggregationSystem.SP1 else risc0.create()
    return NativeVerifier(plain.system, f"aggregated {plain.name}", plain.max_proof_bytes, verify)
