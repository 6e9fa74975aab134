"""Holes around the block whose stakes count, and around the list of those who did not sign."""

from __future__ import annotations

import pytest
from bls_helper import make_key
from quorum_helper import FEE_WEI, POINTER, bond_and_register, sign_task
from reverting import revert_of

OTHER_ROOT = b"\x22" * 32


def test_reference_block__same_block_as_the_task__refused(
    service_manager, registry, members, user, responder
):
    """A flash registration in the task's block could otherwise count before its block is final."""
    service_manager.createNewTask(OTHER_ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    answer = sign_task(service_manager, registry, OTHER_ROOT, user.address, members)
    args = (OTHER_ROOT, user, answer.abi())
    error = revert_of(service_manager.respondToTask, *args, sender=responder, block="latest")
    assert error.startswith("ReferenceBlockNotPast(")


@pytest.mark.parametrize("ahead", [0, 1, 1_000])
def test_reference_block__current_or_future__refused(registry, members, answer, responder, chain, ahead):
    block = chain.blocks.height + 1 + ahead
    args = (block, answer.snapshot_index, answer.aggregate_key, [])
    assert revert_of(registry.signersAt, *args, sender=responder).startswith("ReferenceBlockNotPast(")


def test_reference_block__response_window_over__refused(params, answer, refusal, chain):
    chain.mine(params.service.response_window_blocks + 1)
    assert refusal(answer).startswith("ResponseWindowClosed(")


def test_reference_block__last_block_of_the_window__accepted(
    service_manager, params, answer, task, user, responder, chain
):
    chain.mine(params.service.response_window_blocks - 2)
    service_manager.respondToTask(task, user, answer.abi(), sender=responder)
    assert service_manager.batchStatus(task, user) == 2


def test_stake__leaves_between_task_and_answer__counts_as_at_the_task(
    service_manager, registry, members, answer, task, user, responder
):
    """The stake stays slashable for longer than the window, so the task's block is the right one to count at."""
    registry.deregister(sender=members[0].account)
    service_manager.respondToTask(task, user, answer.abi(), sender=responder)
    assert service_manager.batchStatus(task, user) == 2


def test_snapshot__newer_or_older_than_the_task__refused(registry, members, answer, refusal):
    registry.deregister(sender=members[0].account)
    newer = registry.snapshotCount() - 1
    assert refusal(answer.but(snapshot_index=newer)).startswith("AggregateKeyMismatch(")
    same_key = answer.but(snapshot_index=newer, aggregate_key=tuple(registry.aggregateKey()))
    assert refusal(same_key).startswith("SnapshotDoesNotCover(")
    older = answer.but(snapshot_index=1, aggregate_key=members[0].key.g1)
    assert refusal(older).startswith("SnapshotDoesNotCover(")


@pytest.mark.parametrize("index", [10_000, 2**256 - 1])
def test_snapshot__unknown_index__refused(answer, refusal, index):
    assert refusal(answer.but(snapshot_index=index)).startswith("AggregateKeyMismatch(")


def absent_pair(service_manager, registry, members, task, user):
    return sign_task(service_manager, registry, task, user.address, members, absent=members[:2])


def test_non_signers__unsorted__refused(service_manager, registry, members, task, user, refusal):
    answer = absent_pair(service_manager, registry, members, task, user)
    backwards = answer.but(non_signers=answer.non_signers[::-1])
    assert refusal(backwards).startswith("NonSignersNotAscending(")


def test_non_signers__duplicate__refused(service_manager, registry, members, task, user, refusal):
    answer = sign_task(service_manager, registry, task, user.address, members, absent=members[:1])
    twice = answer.but(non_signers=answer.non_signers * 2)
    assert refusal(twice).startswith("NonSignersNotAscending(")


def test_non_signers__unknown_key__refused(answer, refusal):
    unknown = answer.but(non_signers=[(make_key("never registered").g1, 0)])
    assert refusal(unknown).startswith("StakeRecordDoesNotCover(")


def test_non_signers__omitted__refused(service_manager, registry, members, task, user, refusal):
    answer = sign_task(service_manager, registry, task, user.address, members, absent=members[:1])
    assert refusal(answer.but(non_signers=[])) == "InvalidSignature()"


def test_non_signers__one_who_signed__refused(members, answer, refusal):
    """Listing a signer as absent takes its key out of the aggregate, and the signature no longer fits."""
    listed = answer.but(non_signers=[(members[0].key.g1, 0)])
    assert refusal(listed) == "InvalidSignature()"


def test_non_signers__wrong_stake_record__refused(service_manager, registry, members, task, user, refusal):
    answer = sign_task(service_manager, registry, task, user.address, members, absent=members[:1])
    key, _ = answer.non_signers[0]
    for index in (1, 7, 2**256 - 1):
        assert refusal(answer.but(non_signers=[(key, index)])).startswith("StakeRecordDoesNotCover(")


def test_non_signers__one_who_had_left_before__refused(
    service_manager, registry, stake_source, members, newcomer, user, responder, chain
):
    """Its key is not in the aggregate: taking it out would move the signers' key."""
    former = bond_and_register(stake_source, registry, newcomer, make_key("former"))
    registry.deregister(sender=newcomer)
    service_manager.createNewTask(OTHER_ROOT, POINTER, FEE_WEI, value=FEE_WEI, sender=user)
    chain.mine(1)
    answer = sign_task(service_manager, registry, OTHER_ROOT, user.address, members)
    last = registry.stakeRecordCount(former.key.id) - 1
    for index, reason in ((last, "NonSignerNotInQuorum("), (0, "StakeRecordDoesNotCover(")):
        listed = answer.but(non_signers=[(former.key.g1, index)])
        args = (OTHER_ROOT, user, listed.abi())
        assert revert_of(service_manager.respondToTask, *args, sender=responder).startswith(reason)


def test_non_signers__stake_changed_since__its_record_at_the_task_counts(
    service_manager, registry, stake_source, members, task, user, responder
):
    late = members[0]
    stake_source.bond(value=10**18, sender=late.account)
    registry.updateStakes([late.account], sender=responder)
    answer = sign_task(service_manager, registry, task, user.address, members, absent=[late])
    old = answer.but(non_signers=[(late.key.g1, 0)])
    service_manager.respondToTask(task, user, old.abi(), sender=responder)
    assert service_manager.batchStatus(task, user) == 2
