"""Which contract checks the proofs of an aggregating program, by the parameters."""

from __future__ import annotations

from aligned.core.aggregation import AggregationSystem
from aligned.devnet.params_aggregation import AggregationParams

VerifierPlan = tuple[str, tuple[object, ...]]


def verifier_of(params: AggregationParams, system: AggregationSystem, program: bytes) -> VerifierPlan:
    """Name and constructor arguments of the verifier of `program`."""
    if params.verifiers == "dev":
        return "DevVerifier", (int(system), program)
    if params.verifiers == "gateway":
        return _routed(params, system, program)
    if system is AggregationSystem.SP1:
        return "SP1Groth16Verifier", (program,)
    risc0 = params.risc0_version
    return "Risc0Groth16Verifier", (program, risc0.control_root, risc0.control_id)


def _routed(params: AggregationParams, system: AggregationSystem, program: bytes) -> VerifierPlan:
    name = "SP1GatewayVerifier" if system is AggregationSystem.SP1 else "Risc0RouterVerifier"
    route = params.route_of(system)
    return name, (route.router, route.selector, route.verifier, route.code_hash, program)
