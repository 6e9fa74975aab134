"""A payment service of one's own in front of contracts that exist already: all that a second batcher needs."""

from __future__ import annotations

from aligned.chain.abi import contract_abi
from aligned.chain.deployment import Deployment
from aligned.core.errors import InvariantError, ProtocolError
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy_aggregation_checks import Expectation, view
from aligned.devnet.deploy_checks import DEPLOYMENT_CHECK
from aligned.devnet.deploy_roles import ADMIN_ROLE
from aligned.devnet.params import INVALID_PARAMS
from aligned.devnet.senders import Sender

_SERVICE, _NAME, _MANAGER = "AlignedLayerServiceManager", "BatcherPaymentService", "AlignedAccessManager"


def deploy_batcher(
    send: Sender,
    artifacts: Artifacts,
    deployment: Deployment,
    batcher: str,
    *,
    admin: str | None = None,
    fee_cap_wei: int,
) -> Deployment:
    """Deploys a payment service with an authority of its own, and compares what is on chain with what was asked.

    The proxy is created together with its initialisation, so nobody can initialise it in between.

    Args:
        send: signs and sends; its account pays for the deployment.
        deployment: whose service manager is used; nothing of it is changed.
        batcher: the account whose transactions the service takes.
        admin: may upgrade it, pause its intake and name another batcher; None: the deployer.
        fee_cap_wei: most that a user is charged for one proof unless he says otherwise.

    Returns:
        The deployment with the new payment service: what this batcher and its users are given.

    Raises:
        ProtocolError: invalid_deployment_params, before the first transaction.
        DependencyError: a transaction failed.
        InvariantError: deployment_check.
    """
    owner = admin or send.address
    _check_before(send, deployment, batcher, owner)
    manager = send.deploy(artifacts.creation(_MANAGER, send.address))
    implementation = send.deploy(artifacts.creation(_NAME, deployment.service_manager, fee_cap_wei))
    initializer = contract_abi(_NAME).functions["initialize"].encode(manager, batcher)
    service = send.deploy(artifacts.creation("AlignedProxy", implementation, initializer))
    if owner.lower() != send.address.lower():
        roles = contract_abi("AccessManager").functions
        send.transact(manager, roles["grantRole"].encode(ADMIN_ROLE, owner, 0))
        send.transact(manager, roles["renounceRole"].encode(ADMIN_ROLE, send.address))
    expected: list[Expectation] = [
        (_NAME, service, "alignedLayerServiceManager", (), deployment.service_manager.lower()),
        (_NAME, service, "batcherWallet", (), batcher.lower()),
        (_NAME, service, "DEFAULT_FEE_CAP", (), fee_cap_wei),
        (_NAME, service, "authority", (), manager.lower()),
        ("AccessManager", manager, "hasRole", (ADMIN_ROLE, owner), (True, 0)),
    ]
    if owner.lower() != send.address.lower():
        expected.append(("AccessManager", manager, "hasRole", (ADMIN_ROLE, send.address), (False, 0)))
    _check_after(send, expected)
    return Deployment.model_validate(deployment.model_dump() | {"payment_service": service})


def _check_before(send: Sender, deployment: Deployment, batcher: str, owner: str) -> None:
    problems = []
    if send.chain_id() != deployment.chain_id:
        problems.append(
            f"the deployment file is of chain {deployment.chain_id}, connected to {send.chain_id()}"
        )
    elif not send.code(deployment.service_manager):
        problems.append(
            f"no contract at {deployment.service_manager}: is this the file of the running chain?"
        )
    problems += [
        f"the {what} is the zero address"
        for what, given in (("batcher", batcher), ("admin", owner))
        if not int(given, 16)
    ]
    if problems:
        raise ProtocolError(INVALID_PARAMS, "; ".join(problems))


def _check_after(send: Sender, expected: list[Expectation]) -> None:
    problems = [
        f"{name}.{function} = {got}, expected {want}"
        for name, address, function, args, want in expected
        if (got := view(send, name, address, function, *args)) != want
    ]
    if problems:
        raise InvariantError(DEPLOYMENT_CHECK, "; ".join(problems))
