"""Contracts on a fresh anvil for each module, deployed by the same plan as everywhere; each test is rolled back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ape import networks
from bls_helper import make_key
from payment_helper import DEPOSIT
from quorum_helper import FEE_WEI, POINTER, Answer, bond_and_register, sign_task
from reverting import revert_of

from aligned.core.aggregation import AggregationSystem
from aligned.devnet.artifacts import Artifacts
from aligned.devnet.deploy import deploy
from aligned.devnet.params import DeploymentParams, FixedAddresses
from aligned.devnet.senders import Web3Sender

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from aggregation_helper import Submitter, keyed_verifier  # noqa: E402

from fresh_build import drop_dependency_cache, ensure_fresh  # noqa: E402

drop_dependency_cache()  # before Ape looks at the sources

BATCH_ROOT = b"\x11" * 32


@pytest.fixture(scope="session")
def owner(accounts):
    return accounts[0]


@pytest.fixture(scope="session")
def batcher(accounts):
    return accounts[1]


@pytest.fixture(scope="session")
def operator_accounts(accounts):
    return [accounts[i] for i in range(2, 6)]


@pytest.fixture(scope="session")
def non_owner(accounts):
    return accounts[6]


@pytest.fixture(scope="session")
def user(accounts):
    return accounts[7]


@pytest.fixture(scope="session")
def responder(accounts):
    return accounts[8]


@pytest.fixture(scope="session")
def newcomer(accounts):
    return accounts[9]


@pytest.fixture(scope="session")
def project(project):
    """Ape's project, compiled from the sources as they are now."""
    ensure_fresh()
    return project


@pytest.fixture(scope="session")
def artifacts(project):
    return Artifacts.load(ensure_fresh())


@pytest.fixture(scope="session")
def params(batcher):
    loaded = DeploymentParams.load(ROOT / "deployments" / "params" / "devnet.yaml")
    payment = loaded.payment.model_copy(update={"batcher": batcher.address})
    return loaded.model_copy(update={"payment": payment, "fixed": FixedAddresses()})


@pytest.fixture(scope="session")
def web3(chain):
    assert chain.chain_id == 31337
    return networks.provider.web3


@pytest.fixture(scope="module")
def sender(web3, owner):
    return Web3Sender(web3, owner.address)


@pytest.fixture(scope="session")
def programs():
    """Aggregating programs: which ones they are does not matter to the contracts."""
    return {system: bytes([0, *([int(system)] * 31)]) for system in AggregationSystem}


@pytest.fixture(scope="module")
def deployment(sender, params, artifacts, programs):
    return deploy(sender, params, artifacts, programs=programs)


@pytest.fixture(scope="module")
def registry(project, deployment):
    return project.OperatorRegistry.at(deployment.operator_registry)


@pytest.fixture(scope="module")
def stake_source(project, deployment):
    return project.LocalStakeSource.at(deployment.stake_source)


@pytest.fixture(scope="module")
def service_manager(project, deployment):
    return project.AlignedLayerServiceManager.at(deployment.service_manager)


@pytest.fixture(scope="module")
def payment_service(project, deployment):
    return project.BatcherPaymentService.at(deployment.payment_service)


@pytest.fixture(scope="module")
def subscriptions(project, deployment):
    return project.AggregationModePaymentService.at(deployment.aggregation_payment_service)


@pytest.fixture(scope="module")
def aggregation_service(project, deployment):
    return project.AlignedProofAggregationService.at(deployment.aggregation_service)


@pytest.fixture(scope="module")
def access_manager(project, deployment):
    return project.AlignedAccessManager.at(deployment.access_manager)


@pytest.fixture(scope="module")
def members(stake_source, registry, operator_accounts):
    """Four registered operators with equal stakes."""
    return [
        bond_and_register(stake_source, registry, account, make_key(str(i)))
        for i, account in enumerate(operator_accounts)
    ]


@pytest.fixture
def users(accounts, payment_service):
    """Four users of the payment service with equal deposits."""
    chosen = [accounts[i] for i in range(2, 6)]
    for user in chosen:
        payment_service.deposit(user, value=DEPOSIT, sender=user)
    return chosen


@pytest.fixture
def task(service_manager, members, user, chain):
    """A pending task of `user`, one block old: its root."""
    service_manager.createNewTask(BATCH_ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    return BATCH_ROOT


@pytest.fixture
def answer(service_manager, registry, members, task, user) -> Answer:
    return sign_task(service_manager, registry, task, user.address, members)


@pytest.fixture
def refusal(service_manager, task, user, responder):
    """Error of answering the task so."""

    def simulate(answer: Answer) -> str:
        return revert_of(service_manager.respondToTask, task, user, answer.abi(), sender=responder)

    return simulate


@pytest.fixture(scope="module")
def keyed_verifiers(web3, owner):
    """The product's verifiers under a key whose secrets the tests know, by system."""
    return {system: keyed_verifier(web3, owner, system) for system in AggregationSystem}


@pytest.fixture(scope="module")
def aggregations(aggregation_service, keyed_verifiers, owner):
    """The aggregation service with the tests' programs allowed, each with its keyed verifier."""
    for system, verifier in keyed_verifiers.items():
        program = verifier.functions.programId().call()
        aggregation_service.allowProgram(system, program, verifier.address, sender=owner)
    return aggregation_service


@pytest.fixture
def submitter(web3, aggregations, user):
    """Somebody without any role."""
    return Submitter(web3, aggregations.address, user)
