"""Holes around initialisation, upgrades and roles."""

from __future__ import annotations

import pytest
from eth_abi import encode
from reverting import revert_of
from verifier_helper import outcome

from aligned.devnet.deploy_roles import IMPLEMENTATION_SLOT

CONTRACTS = ("service_manager", "payment_service", "registry", "subscriptions", "aggregation_service")


@pytest.fixture(params=CONTRACTS)
def proxy(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def initializer(
    proxy,
    registry,
    service_manager,
    payment_service,
    subscriptions,
    aggregation_service,
    non_owner,
    params,
    stake_source,
):
    arguments = {
        service_manager.address: (non_owner, params.service.abi()),
        payment_service.address: (non_owner, non_owner),
        registry.address: (non_owner, params.registry.abi(), stake_source),
        subscriptions.address: (non_owner, non_owner, *params.aggregation.terms()),
        aggregation_service.address: (non_owner,),
    }
    return arguments[proxy.address]


def implementation_of(proxy, web3) -> str:
    word = bytes(web3.eth.get_storage_at(proxy.address, IMPLEMENTATION_SLOT))
    return "0x" + word[-20:].hex()


def test_proxy__initialised_again__refused(proxy, initializer, non_owner, owner):
    for caller in (non_owner, owner):
        assert revert_of(proxy.initialize, *initializer, sender=caller) == "InvalidInitialization()"


def test_implementation__initialised_directly__refused(proxy, initializer, project, web3, non_owner):
    kind = getattr(project, proxy.contract_type.name)
    implementation = kind.at(implementation_of(proxy, web3))
    assert revert_of(implementation.initialize, *initializer, sender=non_owner) == "InvalidInitialization()"


def test_initialiser__no_authority__refused(proxy, initializer, project, web3, owner):
    """Nobody could call a restricted function, an upgrade among them, ever after."""
    call = proxy.initialize.encode_input("0x" + "00" * 20, *initializer[1:])
    factory = project.AlignedProxy.contract_type
    arguments = encode(("address", "bytes"), (implementation_of(proxy, web3), bytes(call)))
    data = str(factory.deployment_bytecode.bytecode) + arguments.hex()
    assert outcome(web3, {"from": owner.address, "data": data}) == "ZeroAddress(authority)"


def test_reinitialiser__none_exists(proxy):
    """The reference had one that anybody could call after an upgrade."""
    names = {method.name for method in proxy.contract_type.mutable_methods}
    assert [name for name in names if "initiali" in name.lower()] == ["initialize"]


def test_upgrade__by_a_stranger_or_the_batcher__refused(proxy, web3, non_owner, batcher):
    target = implementation_of(proxy, web3)
    for caller in (non_owner, batcher):
        error = revert_of(proxy.upgradeToAndCall, target, b"", sender=caller)
        assert error.startswith("AccessManagedUnauthorized(")


def test_upgrade__by_a_guardian__refused(proxy, access_manager, web3, owner, newcomer):
    access_manager.grantRole(1, newcomer, 0, sender=owner)
    error = revert_of(proxy.upgradeToAndCall, implementation_of(proxy, web3), b"", sender=newcomer)
    assert error.startswith("AccessManagedUnauthorized(")


def test_upgrade__to_something_that_is_not_uups__refused(proxy, access_manager, owner):
    error = revert_of(proxy.upgradeToAndCall, access_manager.address, b"", sender=owner)
    assert error.startswith("ERC1967InvalidImplementation(")


def test_upgrade__by_the_admin__keeps_the_state(
    project, service_manager, registry, members, owner, task, user
):
    before = (service_manager.config(), service_manager.batchStatus(task, user))
    implementation = owner.deploy(project.AlignedLayerServiceManager, registry)
    service_manager.upgradeToAndCall(implementation, b"", sender=owner)
    assert (service_manager.config(), service_manager.batchStatus(task, user)) == before


def test_upgrade__admin_with_a_delay__waits(
    project, access_manager, service_manager, registry, owner, newcomer
):
    """What a timelock does in production: nothing happens before it was announced for that long."""
    implementation = owner.deploy(project.AlignedLayerServiceManager, registry)
    access_manager.grantRole(0, newcomer, 3_600, sender=owner)
    error = revert_of(service_manager.upgradeToAndCall, implementation, b"", sender=newcomer)
    assert error.startswith("AccessManagerNotScheduled(")


RESTRICTED = [
    ("service_manager", "setConfig", ((1, 1, 1, 6_000, 1, 1, False),)),
    ("service_manager", "setIntakePaused", (True,)),
    ("service_manager", "disableVerifier", (1,)),
    ("service_manager", "enableVerifier", (1,)),
    ("service_manager", "setDisabledVerifiers", (1,)),
    ("service_manager", "revokeBatch", (b"\x01" * 32, "0x" + "11" * 20)),
    ("service_manager", "setAuthority", ("0x" + "11" * 20,)),
    ("payment_service", "setIntakePaused", (True,)),
    ("payment_service", "proposeBatcher", ("0x" + "11" * 20,)),
    ("subscriptions", "setTerms", (1, 1, 1, 2)),
    ("subscriptions", "setFundsRecipient", ("0x" + "11" * 20,)),
    ("subscriptions", "setIntakePaused", (True,)),
    ("subscriptions", "grant", (["0x" + "11" * 20], 1, 2**40)),
    ("aggregation_service", "allowProgram", (1, b"\x01" * 32, "0x" + "11" * 20)),
    ("aggregation_service", "disallowProgram", (b"\x01" * 32,)),
    ("aggregation_service", "revokeProgram", (b"\x01" * 32, [])),
    ("aggregation_service", "revokeRoots", ([b"\x01" * 32],)),
    ("aggregation_service", "setVerificationPaused", (True,)),
    ("registry", "setConfig", ((1, 1, 11_000, 1, 1),)),
    ("registry", "setStakeSource", ("0x" + "11" * 20,)),
    ("registry", "eject", ("0x" + "11" * 20,)),
    ("stake_source", "slash", ("0x" + "11" * 20, 1, "0x" + "11" * 20)),
    ("stake_source", "setRegistry", ("0x" + "11" * 20,)),
]


@pytest.mark.parametrize(("contract", "function", "args"), RESTRICTED)
def test_restricted_function__by_a_stranger__refused(request, non_owner, contract, function, args):
    method = getattr(request.getfixturevalue(contract), function)
    assert revert_of(method, *args, sender=non_owner).startswith("AccessManagedUnauthorized(")


@pytest.mark.parametrize(
    ("field", "value"), [(0, 0), (1, 0), (2, 0), (3, 5_000), (3, 10_001), (4, 0), (4, 50_401)]
)
def test_service_config__unsafe_value__refused(service_manager, owner, field, value):
    config = list(service_manager.config())
    config[field] = value
    assert revert_of(service_manager.setConfig, config, sender=owner).startswith("InvalidConfig(")


@pytest.mark.parametrize(
    ("field", "value"), [(0, 0), (0, 2**96 - 1), (1, 0), (1, 1_025), (2, 10_000), (3, 10_001)]
)
def test_registry_config__unsafe_value__refused(registry, owner, field, value):
    config = list(registry.config())
    config[field] = value
    assert revert_of(registry.setConfig, config, sender=owner).startswith("InvalidConfig(")


@pytest.mark.parametrize("is_paused", [True, False])
def test_service_config__changed__does_not_undo_or_set_a_pause(service_manager, owner, is_paused):
    service_manager.setIntakePaused(is_paused, sender=owner)
    config = list(service_manager.config())
    config[2], config[-1] = config[2] + 1, not is_paused
    receipt = service_manager.setConfig(config, sender=owner)
    in_force = service_manager.config()
    assert (in_force[2], in_force[-1]) == (config[2], is_paused)
    [event] = receipt.decode_logs(service_manager.ServiceConfigUpdated)
    assert event.config[-1] is is_paused


def test_verifier_switches__each_changes_its_bit_and_says_so(service_manager, owner):
    tx = service_manager.disableVerifier(3, sender=owner)
    assert [event.verifierIdx for event in tx.decode_logs(service_manager.VerifierDisabled)] == [3]
    assert service_manager.disabledVerifiers() == 8
    service_manager.disableVerifier(255, sender=owner)
    assert service_manager.isVerifierDisabled(255)
    service_manager.enableVerifier(3, sender=owner)
    assert service_manager.disabledVerifiers() == 1 << 255
    tx = service_manager.setDisabledVerifiers(5, sender=owner)
    assert [event.bitmap for event in tx.decode_logs(service_manager.DisabledVerifiersUpdated)] == [5]


def test_revoke__batch_that_is_not_verified__refused(service_manager, task, user, owner):
    assert revert_of(service_manager.revokeBatch, task, user, sender=owner).startswith("BatchNotVerified(")
