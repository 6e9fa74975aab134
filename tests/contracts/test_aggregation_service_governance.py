"""Programs allowed, disallowed and revoked; roots revoked; verification paused; who may do which."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from reverting import revert_of
from web3.types import RPCEndpoint

from sample_aggregations import PROVERS, RISC0, SP1, aggregate

PROGRAM = PROVERS[SP1].program_id
UNKNOWN, ALLOWED, DISALLOWED, REVOKED = range(4)
LABEL = "governance"
# Of AggregationStorage (the service's ERC-7201 slot and two more): bytes32[] programIds.
PROGRAM_IDS_SLOT = 0x28DE33AA14E8E85F681A8FA5135BB17FE6E73BC8EC520818E173DD0C1D74E802


@pytest.fixture
def given():
    return aggregate(SP1, 4, LABEL)


@pytest.fixture
def recorded(submitter, given):
    assert submitter.send(given)["status"] == 1
    return given


@pytest.fixture
def refused(aggregations, owner):
    def ask(function: str, *args: object, by=owner) -> str:
        return revert_of(getattr(aggregations, function), *args, sender=by)

    return ask


def hexed(value: bytes) -> str:
    return "0x" + bytes(value).hex()


def is_included(service, given) -> bool:
    return service.verifyLeafInclusion(given.root, SP1, given.commitments[1], 1, given.tree.path(1))


# ------------------------------------------------------------------------------------------ programs


def test_allow__verifier_says_another_system_or_program__refused(refused, keyed_verifiers):
    sp1, risc0 = (keyed_verifiers[system].address for system in (SP1, RISC0))
    error = f"VerifierOfAnotherProgram(2, {hexed(PROVERS[RISC0].program_id)})"
    assert refused("allowProgram", SP1, PROGRAM, risc0) == error
    error = f"VerifierOfAnotherProgram(1, {hexed(PROGRAM)})"
    assert refused("allowProgram", SP1, keccak(b"another"), sp1) == error
    assert refused("allowProgram", RISC0, PROGRAM, sp1) == error


@pytest.mark.parametrize("system", [0, 3, 255])
def test_allow__unknown_system__refused(refused, keyed_verifiers, system):
    error = f"UnknownSystem({system})"
    assert refused("allowProgram", system, PROGRAM, keyed_verifiers[SP1].address) == error


def test_allow__account_without_code__refused(refused, newcomer):
    """Calls to it succeed, whatever the proof."""
    error = f"VerifierHasNoFixedCode({newcomer.address.lower()})"
    assert refused("allowProgram", SP1, PROGRAM, newcomer.address) == error


def test_allow__account_with_delegated_code__refused(refused, web3, keyed_verifiers, newcomer):
    """Its owner can put other code there at any time (EIP-7702)."""
    target = keyed_verifiers[SP1].address.lower().removeprefix("0x")
    web3.provider.make_request(RPCEndpoint("anvil_setCode"), [newcomer.address, "0xef0100" + target])
    error = f"VerifierHasNoFixedCode({newcomer.address.lower()})"
    assert refused("allowProgram", SP1, PROGRAM, newcomer.address) == error


def test_allow__one_program_more_than_a_pause_can_write_to__refused(
    refused, aggregations, project, web3, owner
):
    """A pause writes to every program: with a list of any length it could not be mined."""
    fresh = keccak(b"one too many")
    verifier = owner.deploy(project.DevVerifier, SP1, fresh)
    length = [aggregations.address, hex(PROGRAM_IDS_SLOT), "0x" + (256).to_bytes(32, "big").hex()]
    web3.provider.make_request(RPCEndpoint("anvil_setStorageAt"), length)
    assert len(aggregations.programIds()) == 256
    assert refused("allowProgram", SP1, fresh, verifier.address) == "TooManyPrograms(256)"


def test_allow__announces_the_code_it_pins(aggregations, keyed_verifiers, web3, owner):
    verifier = keyed_verifiers[SP1].address
    receipt = aggregations.allowProgram(SP1, PROGRAM, verifier, sender=owner)
    [event] = receipt.decode_logs(aggregations.ProgramAllowed)
    assert bytes(event.verifierCodeHash) == keccak(bytes(web3.eth.get_code(verifier)))
    assert (event.systemId, bytes(event.programId), event.verifier) == (SP1, PROGRAM, verifier)


def test_disallow__no_new_roots_recorded_ones_stay_and_it_can_be_allowed_again(
    aggregations, submitter, recorded, keyed_verifiers, owner
):
    aggregations.disallowProgram(PROGRAM, sender=owner)
    assert aggregations.programOf(PROGRAM)[1] == DISALLOWED
    fresh = aggregate(SP1, 2, LABEL)
    assert submitter.refusal(fresh) == f"ProgramNotAllowed(1, {hexed(PROGRAM)})"
    assert is_included(aggregations, recorded)
    aggregations.allowProgram(SP1, PROGRAM, keyed_verifiers[SP1].address, sender=owner)
    assert submitter.send(fresh)["status"] == 1


def test_disallow__unknown_or_disallowed_program__refused(aggregations, refused, owner):
    other = keccak(b"unknown program")
    assert refused("disallowProgram", other) == f"ProgramNotAllowed(0, {hexed(other)})"
    aggregations.disallowProgram(PROGRAM, sender=owner)
    assert refused("disallowProgram", PROGRAM) == f"ProgramNotAllowed(1, {hexed(PROGRAM)})"


def test_revoked_program__its_roots_fall_and_it_never_comes_back(
    aggregations, submitter, refused, recorded, keyed_verifiers, owner
):
    receipt = aggregations.revokeProgram(PROGRAM, [recorded.root], sender=owner)
    assert [bytes(e.root) for e in receipt.decode_logs(aggregations.RootRevoked)] == [recorded.root]
    assert aggregations.programOf(PROGRAM)[1] == REVOKED
    assert is_included(aggregations, recorded) is False
    assert submitter.refusal(aggregate(SP1, 2, LABEL)) == f"ProgramNotAllowed(1, {hexed(PROGRAM)})"
    error = f"ProgramIsRevoked({hexed(PROGRAM)})"
    assert refused("allowProgram", SP1, PROGRAM, keyed_verifiers[SP1].address) == error
    assert refused("revokeProgram", PROGRAM, []) == error


def test_revoked_program__anybody_revokes_its_other_roots(
    aggregations, submitter, recorded, owner, non_owner
):
    second = aggregate(SP1, 3, LABEL)
    assert submitter.send(second)["status"] == 1
    aggregations.revokeProgram(PROGRAM, [recorded.root], sender=owner)
    aggregations.revokeRootsOf(PROGRAM, [recorded.root, second.root], sender=non_owner)
    assert aggregations.aggregatedProofs(second.root)[6] is True


def test_roots_of_a_program__that_is_not_revoked__stay(refused, recorded, non_owner):
    error = f"ProgramIsNotRevoked({hexed(PROGRAM)})"
    assert refused("revokeRootsOf", PROGRAM, [recorded.root], by=non_owner) == error


def test_roots_of_another_program__cannot_be_revoked_with_a_revoked_one(
    aggregations, submitter, refused, owner, non_owner
):
    other = aggregate(RISC0, 4, LABEL)
    assert submitter.send(other)["status"] == 1
    error = f"RootOfAnotherProgram({hexed(other.root)}, {hexed(PROGRAM)})"
    assert refused("revokeProgram", PROGRAM, [other.root]) == error
    aggregations.revokeProgram(PROGRAM, [], sender=owner)
    assert refused("revokeRootsOf", PROGRAM, [other.root], by=non_owner) == error


# ------------------------------------------------------------------------------------------ roots


def test_revoked_root__proved_again__refused(aggregations, submitter, recorded, owner):
    aggregations.revokeRoots([recorded.root], sender=owner)
    error = f"RootAlreadyAggregated({hexed(recorded.root)})"
    assert submitter.refusal(recorded) == error
    assert submitter.refusal(recorded, proof=recorded.proof(salt="again")) == error


def test_revoke_roots__one_of_the_list_revoked_before__the_rest_still_falls(
    aggregations, submitter, recorded, owner
):
    """Nobody can stop a long revocation by having one root of it revoked first."""
    second = aggregate(SP1, 3, LABEL)
    assert submitter.send(second)["status"] == 1
    aggregations.revokeRoots([recorded.root], sender=owner)
    receipt = aggregations.revokeRoots([recorded.root, second.root], sender=owner)
    assert [bytes(e.root) for e in receipt.decode_logs(aggregations.RootRevoked)] == [second.root]


def test_revoke_roots__unknown_root__refused(refused):
    assert refused("revokeRoots", [keccak(b"nothing")]) == f"RootUnknown({hexed(keccak(b'nothing'))})"


# ------------------------------------------------------------------------------------------ pause


def test_pause__both_systems_stop_and_resume(aggregations, submitter, owner):
    aggregations.setVerificationPaused(True, sender=owner)
    assert aggregations.verificationPaused()
    for system in (SP1, RISC0):
        assert submitter.refusal(aggregate(system, 2, LABEL)) == "VerificationPaused()"
    aggregations.setVerificationPaused(False, sender=owner)
    for system in (SP1, RISC0):
        assert submitter.send(aggregate(system, 2, LABEL))["status"] == 1


def test_pause__program_allowed_meanwhile__is_paused_too(
    project, aggregations, submitter, keyed_verifiers, owner
):
    """The pause is kept in each program, so a new one must take it over, and an old one keep it."""
    aggregations.setVerificationPaused(True, sender=owner)
    program = keccak(b"new program")
    dev = owner.deploy(project.DevVerifier, SP1, program)
    aggregations.allowProgram(SP1, program, dev, sender=owner)
    aggregations.allowProgram(SP1, PROGRAM, keyed_verifiers[SP1].address, sender=owner)
    for each in (program, PROGRAM):
        assert submitter.refusal(aggregate(SP1, 2, LABEL), program=each) == "VerificationPaused()"


# ------------------------------------------------------------------------------------------ roles

GUARDED = [
    ("disallowProgram", (PROGRAM,)),
    ("revokeProgram", (PROGRAM, [])),
    ("revokeRoots", ([],)),
    ("setVerificationPaused", (True,)),
]
ADMINISTERED = [("allowProgram", (1, PROGRAM, "0x" + "11" * 20)), ("setAuthority", ("0x" + "11" * 20,))]


@pytest.mark.parametrize(("function", "args"), GUARDED + ADMINISTERED)
def test_restricted_function_of_aggregation__by_a_stranger__refused(refused, non_owner, function, args):
    assert refused(function, *args, by=non_owner).startswith("AccessManagedUnauthorized(")


@pytest.mark.parametrize(("function", "args"), GUARDED)
def test_guarded_function__by_a_guardian__accepted(
    aggregations, access_manager, owner, newcomer, function, args
):
    access_manager.grantRole(1, newcomer, 0, sender=owner)
    assert not getattr(aggregations, function)(*args, sender=newcomer).failed


def test_allow__by_a_guardian__refused(refused, access_manager, owner, newcomer, keyed_verifiers):
    access_manager.grantRole(1, newcomer, 0, sender=owner)
    args = (SP1, PROGRAM, keyed_verifiers[SP1].address)
    assert refused("allowProgram", *args, by=newcomer).startswith("AccessManagedUnauthorized(")


def test_upgrade_of_aggregation__keeps_roots_and_programs(project, aggregations, recorded, owner):
    before = (tuple(aggregations.aggregatedProofs(recorded.root)), tuple(aggregations.programOf(PROGRAM)))
    implementation = owner.deploy(project.AlignedProofAggregationService)
    aggregations.upgradeToAndCall(implementation, b"", sender=owner)
    after = (tuple(aggregations.aggregatedProofs(recorded.root)), tuple(aggregations.programOf(PROGRAM)))
    assert after == before
    assert is_included(aggregations, recorded)
