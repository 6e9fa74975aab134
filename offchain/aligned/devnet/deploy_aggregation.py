"""Steps of the deployment plan for aggregation mode."""

from __future__ import annotations

from aligned.devnet.deploy_plan import Plan


def deploy_subscriptions(plan: Plan, manager: str) -> str:
    """AggregationModePaymentService with its terms; its proxy."""
    terms = plan.params.aggregation
    implementation = plan.create("AggregationModePaymentService")
    fixed = plan.params.fixed.aggregation_payment_service
    recipient = terms.recipient or plan.send.address
    return plan.proxy(
        "AggregationModePaymentService", implementation, fixed, manager, recipient, *terms.abi()
    )
