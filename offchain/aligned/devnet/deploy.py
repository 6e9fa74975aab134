"""The deployment plan: the same steps for the devnet, tests and Ape scripts; who signs is behind `Sender`.

Every proxy is created together with its initialisation, so nobody can initialise it in between. Afterwards the state
on chain is compared with the parameters (aligned.devnet.deploy_checks).
"""

from __future__ import annotations

from collections.abc import Mapping

from aligned.chain.abi import contract_abi
from aligned.chain.deployment import Deployment
from aligned.core.aggregation import AggregationSystem
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy_aggregation import chunk_programs, deploy_aggregation_service, deploy_subscriptions
from aligned.devnet.deploy_checks import check_before, check_deployment
from aligned.devnet.deploy_plan import Place, Plan
from aligned.devnet.deploy_roles import ADMIN_ROLE, ROLE_FUNCTIONS, contract_addresses, role_holders
from aligned.devnet.params import DeploymentParams
from aligned.devnet.senders import Sender


def deploy(
    send: Sender,
    params: DeploymentParams,
    artifacts: Artifacts,
    place: Place | None = None,
    programs: Mapping[AggregationSystem, bytes] | None = None,
) -> Deployment:
    """Deploys everything, hands the roles over and checks the result.

    Args:
        send: signs and sends; its account is the deployer.
        params: validated parameters of the network.
        artifacts: compiled contracts.
        place: devnet only, needed for fixed proxy addresses.
        programs: the aggregating program of each system; those of this release if not given.

    Raises:
        ProtocolError: invalid_deployment_params for another chain's parameters, before the first transaction.
        DependencyError: a transaction failed.
        InvariantError: deployment_check, the state on chain is not what the parameters say.
    """
    plan = Plan(send, params, artifacts, place, chunk_programs() if programs is None else programs)
    check_before(plan)
    first_block = send.block_number()
    manager = plan.create("AlignedAccessManager", send.address)
    stake_source, registry = _deploy_registry(plan, manager)
    service_manager = _deploy_service_manager(plan, manager, registry)
    payment_service = _deploy_payment_service(plan, manager, service_manager)
    deployment = Deployment(
        chain_id=params.chain_id,
        service_manager=service_manager,
        payment_service=payment_service,
        operator_registry=registry,
        stake_source=stake_source,
        aggregation_payment_service=deploy_subscriptions(plan, manager),
        aggregation_service=deploy_aggregation_service(plan, manager),
        access_manager=manager,
        deployed_block=first_block,
    )
    _assign_roles(plan, deployment)
    check_deployment(plan, deployment)
    return deployment


def _deploy_registry(plan: Plan, manager: str) -> tuple[str, str]:
    stake = plan.params.stake
    source = stake.source or plan.create("LocalStakeSource", manager, stake.unbonding_blocks)
    implementation = plan.create("OperatorRegistry")
    registry = plan.proxy(
        "OperatorRegistry", implementation, None, manager, plan.params.registry.abi(), source
    )
    if stake.source is None:
        plan.transact("LocalStakeSource", source, "setRegistry", registry)
    return source, registry


def _deploy_service_manager(plan: Plan, manager: str, registry: str) -> str:
    implementation = plan.create("AlignedLayerServiceManager", registry)
    fixed = plan.params.fixed.service_manager
    return plan.proxy("AlignedLayerServiceManager", implementation, fixed, manager, plan.params.service.abi())


def _deploy_payment_service(plan: Plan, manager: str, service_manager: str) -> str:
    payment = plan.params.payment
    implementation = plan.create("BatcherPaymentService", service_manager, payment.default_fee_cap_wei)
    batcher = payment.batcher or plan.send.address
    return plan.proxy(
        "BatcherPaymentService", implementation, plan.params.fixed.payment_service, manager, batcher
    )


def _assign_roles(plan: Plan, deployment: Deployment) -> None:
    manager = deployment.access_manager
    addresses = contract_addresses(plan.params, deployment)
    for role, contracts in ROLE_FUNCTIONS.items():
        for name in contracts.keys() & addresses.keys():
            functions = contract_abi(name).functions
            selectors = [functions[function].selector for function in contracts[name]]
            plan.transact("AccessManager", manager, "setTargetFunctionRole", addresses[name], selectors, role)
    holders = role_holders(plan.params, plan.send.address)
    for role, holder in holders.items():
        if holder != plan.send.address or role != ADMIN_ROLE:
            plan.transact("AccessManager", manager, "grantRole", role, holder, 0)
    if holders[ADMIN_ROLE] != plan.send.address:
        plan.transact("AccessManager", manager, "renounceRole", ADMIN_ROLE, plan.send.address)
