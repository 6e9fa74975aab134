"""The deployment plan on a real node: what it leaves behind, and what it refuses before the first transaction."""

from __future__ import annotations

import pytest

from aligned.core.errors import InvariantError, ProtocolError
from aligned.devnet.deploy import deploy
from aligned.devnet.deploy_checks import check_deployment
from aligned.devnet.deploy_plan import Plan
from aligned.devnet.layout import PARAMS
from aligned.devnet.params import DeploymentParams
from aligned.devnet.senders import Web3Sender, anvil_place

FIXED = DeploymentParams.load(PARAMS / "devnet.yaml").fixed


@pytest.fixture
def plan(sender, params, artifacts, programs):
    return Plan(sender, params, artifacts, None, programs)


def test_deploy__devnet_parameters__state_is_what_they_say(plan, deployment):
    check_deployment(plan, deployment)
    assert deployment.chain_id == 31337


def test_deploy__fixed_addresses__proxies_stand_there_initialised(params, artifacts, web3, newcomer):
    """By another account: the addresses are those at which a much used account 0 would create contracts."""
    sender = Web3Sender(web3, newcomer.address)
    placed = deploy(sender, params.model_copy(update={"fixed": FIXED}), artifacts, anvil_place(web3))
    assert FIXED.named()
    assert placed.model_dump(include=set(FIXED.model_dump())) == FIXED.model_dump()


def test_deploy__other_chain__refused_before_first_transaction(sender, params, artifacts, owner):
    nonce = owner.nonce
    wrong = params.model_copy(update={"chain_id": 5})
    with pytest.raises(ProtocolError, match="connected to 31337"):
        deploy(sender, wrong, artifacts)
    assert owner.nonce == nonce


def test_deploy__fixed_address_without_such_a_node__refused(sender, params, artifacts):
    with pytest.raises(ProtocolError, match="place code"):
        deploy(sender, params.model_copy(update={"fixed": FIXED}), artifacts)


def test_deploy__admin_named__deployer_keeps_no_role(sender, params, artifacts, project, owner, non_owner):
    handed = params.model_copy(update={"roles": params.roles.model_copy(update={"admin": non_owner.address})})
    placed = deploy(sender, handed, artifacts)
    manager = project.AlignedAccessManager.at(placed.access_manager)
    assert manager.hasRole(0, non_owner)[0]
    assert not manager.hasRole(0, owner)[0]


def test_deploy__admin_without_timelock__refused(sender, params, artifacts, non_owner):
    roles = params.roles.model_copy(update={"admin": non_owner.address, "admin_min_delay_s": 60})
    with pytest.raises(ProtocolError, match="expected a TimelockController"):
        deploy(sender, params.model_copy(update={"roles": roles}), artifacts)


def test_check_deployment__configuration_changed_afterwards__named(plan, deployment, service_manager, owner):
    config = list(service_manager.config())
    config[2] += 1
    service_manager.setConfig(config, sender=owner)
    with pytest.raises(InvariantError, match="AlignedLayerServiceManager.config"):
        check_deployment(plan, deployment)


def test_params__stake_leaves_before_the_response_window_ends__refused(params):
    raw = params.model_dump()
    raw["stake"]["unbonding_blocks"] = raw["service"]["response_window_blocks"]
    with pytest.raises(ValueError, match="longer than"):
        DeploymentParams.model_validate(raw)


def test_params__production_without_names__refused(params):
    raw = params.model_dump() | {"chain_id": 1}
    with pytest.raises(ValueError, match="roles.admin"):
        DeploymentParams.model_validate(raw)


def test_params__production_with_bonded_stake_and_no_slasher__refused(params, non_owner):
    """Stake that nobody can slash secures nothing."""
    named = dict.fromkeys(("admin", "guardian", "ejector", "slasher"), non_owner.address)
    raw = params.model_dump() | {"chain_id": 1, "roles": named}
    raw["aggregation"]["verifiers"] = "groth16"
    raw["payment"]["batcher"] = raw["aggregation"]["recipient"] = non_owner.address
    DeploymentParams.model_validate(raw)
    del named["slasher"]
    with pytest.raises(ValueError, match="must be named: roles.slasher"):
        DeploymentParams.model_validate(raw)
    raw["stake"] = {"source": non_owner.address}  # another protocol's stake has slashers of its own
    DeploymentParams.model_validate(raw)
