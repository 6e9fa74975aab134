"""What is looked at before a deployment, and what must hold on chain after it."""

from __future__ import annotations

from aligned.chain.abi import ContractAbi, Function, load_abi
from aligned.chain.deployment import Deployment
from aligned.core.errors import InvariantError, ProtocolError
from aligned.devnet.deploy_aggregation_checks import (
    Expectation,
    aggregation_problems,
    aggregation_views,
    verifier_problems,
    view,
)
from aligned.devnet.deploy_plan import Plan
from aligned.devnet.deploy_roles import (
    ADMIN_ROLE,
    IMPLEMENTATION_SLOT,
    ROLE_FUNCTIONS,
    contract_addresses,
    role_holders,
)
from aligned.devnet.params import DEVNET_CHAIN_ID, INVALID_PARAMS, DeploymentParams
from aligned.devnet.senders import Sender

DEPLOYMENT_CHECK = "deployment_check"
_GET_MIN_DELAY = bytes.fromhex("f27a0c92")  # TimelockController.getMinDelay()


def check_before(plan: Plan) -> None:
    """Refuses what can be known to be wrong without a transaction.

    Raises:
        ProtocolError: invalid_deployment_params.
    """
    send, params = plan.send, plan.params
    problems = []
    if send.chain_id() != params.chain_id:
        problems.append(f"parameters are for chain {params.chain_id}, connected to {send.chain_id()}")
    if params.fixed.named() and plan.place is None:
        problems.append("fixed addresses need a node that can place code")
    if params.stake.source is not None and not send.code(params.stake.source):
        problems.append(f"stake source {params.stake.source} has no code")
    problems += _timelock_problems(send, params) + aggregation_problems(plan)
    if problems:
        raise ProtocolError(INVALID_PARAMS, "; ".join(problems))


def _timelock_problems(send: Sender, params: DeploymentParams) -> list[str]:
    admin, least = params.roles.admin, params.roles.admin_min_delay_s
    if admin is None or least == 0:
        return []
    if not send.code(admin):
        return [f"admin {admin} has no code, expected a TimelockController"]
    delay = int.from_bytes(send.call(admin, _GET_MIN_DELAY), "big")
    return [] if delay >= least else [f"admin's delay is {delay} s, expected at least {least} s"]


def check_deployment(plan: Plan, deployment: Deployment) -> None:
    """Compares the chain with the parameters.

    Raises:
        InvariantError: deployment_check, with everything that differs.
    """
    send, params = plan.send, plan.params
    expected = _expected_views(send, params, deployment) + aggregation_views(plan, deployment)
    problems = [
        f"{name}.{function} = {got}, expected {want}"
        for name, address, function, args, want in expected
        if (got := view(send, name, address, function, *args)) != want
    ]
    problems += verifier_problems(plan, deployment)
    for name, address in contract_addresses(params, deployment).items():
        if (
            name != "LocalStakeSource"
            and int.from_bytes(send.storage(address, IMPLEMENTATION_SLOT), "big") == 0
        ):
            problems.append(f"{name}: {address} is no proxy")
    if problems:
        raise InvariantError(DEPLOYMENT_CHECK, "; ".join(problems))


def _expected_views(send: Sender, params: DeploymentParams, deployment: Deployment) -> list[Expectation]:
    service, payment = deployment.service_manager, deployment.payment_service
    registry, manager = deployment.operator_registry, deployment.access_manager
    batcher = params.payment.batcher or send.address
    views: list[Expectation] = [
        ("OperatorRegistry", registry, "config", (), params.registry.abi()),
        ("OperatorRegistry", registry, "stakeSource", (), deployment.stake_source.lower()),
        ("OperatorRegistry", registry, "snapshotCount", (), 1),
        ("AlignedLayerServiceManager", service, "config", (), params.service.abi()),
        ("AlignedLayerServiceManager", service, "operatorRegistry", (), registry.lower()),
        ("BatcherPaymentService", payment, "alignedLayerServiceManager", (), service.lower()),
        ("BatcherPaymentService", payment, "batcherWallet", (), batcher.lower()),
        ("BatcherPaymentService", payment, "DEFAULT_FEE_CAP", (), params.payment.default_fee_cap_wei),
    ]
    for name, address in contract_addresses(params, deployment).items():
        views.append((name, address, "authority", (), manager.lower()))
    views += _role_views(params, deployment)
    for role, holder in role_holders(params, send.address).items():
        views.append(("AccessManager", manager, "hasRole", (role, holder), (True, 0)))
    if params.chain_id != DEVNET_CHAIN_ID and params.roles.admin != send.address:
        views.append(("AccessManager", manager, "hasRole", (ADMIN_ROLE, send.address), (False, 0)))
    return views


def _role_views(params: DeploymentParams, deployment: Deployment) -> list[Expectation]:
    """The role of every function that changes state: a restricted one that is named nowhere is the admin's alone."""
    roles = {
        (name, function): role
        for role, contracts in ROLE_FUNCTIONS.items()
        for name, functions in contracts.items()
        for function in functions
    }
    return [
        (
            "AccessManager",
            deployment.access_manager,
            "getTargetFunctionRole",
            (address, function.selector),
            roles.get((name, function.name), ADMIN_ROLE),
        )
        for name, address in contract_addresses(params, deployment).items()
        for function in _changing_functions(name)
    ]


def _changing_functions(name: str) -> list[Function]:
    entries = [entry for entry in load_abi(name) if entry.get("stateMutability") not in ("view", "pure")]
    functions = ContractAbi(entries).functions
    return [function for key, function in functions.items() if key == function.signature]
