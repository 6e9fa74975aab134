"""Steps of the deployment plan for aggregation mode."""

from __future__ import annotations

from collections.abc import Mapping

from aligned.core.aggregation import AggregationSystem
from aligned.devnet.aggregation_verifiers import verifier_of
from aligned.devnet.deploy_plan import Plan
from aligned.provers.programs import load_program_ids


def chunk_programs() -> Mapping[AggregationSystem, bytes]:
    """The programs of this release whose proofs the contract takes.

    Raises:
        InvariantError: unknown_program.
    """
    return {system: ids.chunk for system, ids in load_program_ids().items()}


def deploy_subscriptions(plan: Plan, manager: str) -> str:
    """AggregationModePaymentService with its terms; its proxy."""
    params = plan.params.aggregation
    implementation = plan.create("AggregationModePaymentService")
    fixed = plan.params.fixed.aggregation_payment_service
    recipient = params.recipient or plan.send.address
    return plan.proxy(
        "AggregationModePaymentService", implementation, fixed, manager, recipient, *params.terms()
    )


def deploy_aggregation_service(plan: Plan, manager: str) -> str:
    """AlignedProofAggregationService with a verifier for each program; its proxy."""
    implementation = plan.create("AlignedProofAggregationService")
    fixed = plan.params.fixed.aggregation_service
    service = plan.proxy("AlignedProofAggregationService", implementation, fixed, manager)
    for system, program in plan.programs.items():
        name, args = verifier_of(plan.params.aggregation, system, program)
        verifier = plan.create(name, *args)
        plan.transact(
            "AlignedProofAggregationService", service, "allowProgram", int(system), program, verifier
        )
    return service
