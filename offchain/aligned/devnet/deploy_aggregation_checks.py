"""What is looked at before and after aggregation mode is deployed."""

from __future__ import annotations

from typing import Any

from eth_utils import keccak

from aligned.chain.abi import contract_abi
from aligned.chain.contracts import ProgramStatus
from aligned.chain.deployment import Deployment
from aligned.core.aggregation import AggregationSystem
from aligned.devnet.aggregation_verifiers import verifier_of
from aligned.devnet.deploy_plan import Plan
from aligned.devnet.senders import Sender

_PAYMENTS, _SERVICE = "AggregationModePaymentService", "AlignedProofAggregationService"

# (contract, address, view, arguments, value)
Expectation = tuple[str, str, str, tuple[object, ...], Any]


def view(send: Sender, name: str, address: str, function: str, *args: object) -> Any:
    """A view's value, or the tuple of its values."""
    codec = contract_abi(name).functions[function]
    values = codec.decode(send.call(address, codec.encode(*args)))
    return values[0] if len(values) == 1 else values


def aggregation_problems(plan: Plan) -> list[str]:
    """What is wrong before the first transaction: a system without a program, a router's verifier with other code."""
    absent = [system.wire_name for system in AggregationSystem if system not in plan.programs]
    problems = [f"no aggregating program for {name}" for name in absent]
    if plan.params.aggregation.verifiers != "gateway":
        return problems
    for name, route in plan.params.aggregation.routes.items():
        found = keccak(plan.send.code(route.verifier))
        if found != route.code_hash:
            problems.append(f"verifier of route {name}: code hash 0x{found.hex()}")
        if not plan.send.code(route.router):
            problems.append(f"router of route {name}: {route.router} has no code")
    return problems


def aggregation_views(plan: Plan, deployment: Deployment) -> list[Expectation]:
    """What both contracts must say afterwards."""
    payments, service = deployment.aggregation_payment_service, deployment.aggregation_service
    terms = plan.params.aggregation
    recipient = terms.recipient or plan.send.address
    return [
        (_PAYMENTS, payments, "amountToPayInWei", (), terms.price_wei),
        (_PAYMENTS, payments, "proofsPerPeriod", (), terms.proofs_per_period),
        (_PAYMENTS, payments, "paymentExpirationTimeSeconds", (), terms.period_s),
        (_PAYMENTS, payments, "maxSubscriptionTimeAhead", (), terms.max_ahead_s),
        (_PAYMENTS, payments, "paymentFundsRecipient", (), recipient.lower()),
        (_PAYMENTS, payments, "intakePaused", (), False),
        (_SERVICE, service, "verificationPaused", (), False),
        (_SERVICE, service, "programIds", (), tuple(plan.programs.values())),
    ]


def verifier_problems(plan: Plan, deployment: Deployment) -> list[str]:
    """Programs whose state, or whose verifier's code, is not what the parameters say.

    The code is compared byte for byte with what its constructor leaves, immutables included: no other verifier (on a
    production network above all the one for dev proofs) can be in its place unnoticed.
    """
    problems = []
    for system, program in plan.programs.items():
        state = view(plan.send, _SERVICE, deployment.aggregation_service, "programOf", program)
        if state[:2] != (int(system), ProgramStatus.ALLOWED):
            problems.append(f"program 0x{program.hex()} of {system.wire_name}: state {state[:2]}")
            continue
        name, args = verifier_of(plan.params.aggregation, system, program)
        if plan.send.code(state[2]) != plan.send.created(plan.artifacts.creation(name, *args)):
            problems.append(f"verifier of {system.wire_name}: {state[2]} is not {name} with these parameters")
        else:
            problems += _version_problems(plan, name, state[2])
    return problems


def _version_problems(plan: Plan, name: str, verifier: str) -> list[str]:
    if name != "Risc0Groth16Verifier":
        return []
    selector = view(plan.send, name, verifier, "SELECTOR")
    expected = plan.params.aggregation.risc0_version.selector
    return [] if selector == expected else [f"selector 0x{selector.hex()}, expected 0x{expected.hex()}"]
