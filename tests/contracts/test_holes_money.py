"""Holes around the service manager's money: reservation, minimum fee, pointer, answer fee, refunds."""

from __future__ import annotations

import pytest
from quorum_helper import FEE_WEI, POINTER, batch_id, sign_task
from reverting import revert_of

OTHER_ROOT = b"\x22" * 32
GWEI = 10**9


def create(service_manager, root, sender, value=FEE_WEI, fee=FEE_WEI, pointer=POINTER):
    return service_manager.createNewTask(root, pointer, fee, value=value, sender=sender)


def test_one_deposit__two_tasks__second_refused(service_manager, user):
    """The reference checked the balance without reserving it: one deposit opened any number of tasks."""
    service_manager.depositToBatcher(user, value=FEE_WEI, sender=user)
    create(service_manager, OTHER_ROOT, user, value=0)
    assert service_manager.batchersBalances(user) == 0
    args = (b"\x33" * 32, POINTER, FEE_WEI)
    error = revert_of(service_manager.createNewTask, *args, sender=user)
    assert error == f"InsufficientFunds({user.address.lower()}, {FEE_WEI}, 0)"


def test_open_task__its_fee_cannot_be_withdrawn(service_manager, task, user):
    assert revert_of(service_manager.withdraw, 1, sender=user).startswith("InsufficientFunds(")


def test_free_task__fee_below_the_minimum__refused(service_manager, params, user):
    least = params.service.min_fee_wei
    for fee in (0, least - 1):
        error = revert_of(service_manager.createNewTask, OTHER_ROOT, POINTER, fee, sender=user, value=fee)
        assert error == f"FeeTooLow({fee}, {least})"


def test_fee__above_its_field__refused(service_manager, user):
    args = (OTHER_ROOT, POINTER, 2**80)
    assert revert_of(service_manager.createNewTask, *args, sender=user).startswith("FeeTooHigh(")


@pytest.mark.parametrize("length", [0, 257, 10_000])
def test_pointer__empty_or_unbounded__refused(service_manager, user, length):
    args = (OTHER_ROOT, "x" * length, FEE_WEI)
    error = revert_of(service_manager.createNewTask, *args, sender=user, value=FEE_WEI)
    assert error == f"PointerLengthOutOfBounds({length}, 256)"


def test_pointer__longest_allowed__accepted(service_manager, user):
    create(service_manager, OTHER_ROOT, user, pointer="x" * 256)


def test_root__zero_or_submitted_before__refused(service_manager, task, user):
    args = (POINTER, FEE_WEI)
    assert (
        revert_of(service_manager.createNewTask, bytes(32), *args, sender=user, value=FEE_WEI) == "ZeroRoot()"
    )
    error = revert_of(service_manager.createNewTask, task, *args, sender=user, value=FEE_WEI)
    assert error.startswith("BatchAlreadySubmitted(")


def test_root__same_by_another_sender__accepted(service_manager, task, non_owner):
    """Nobody can block somebody's batch by posting its root first."""
    create(service_manager, task, non_owner)
    assert service_manager.batchStatus(task, non_owner) == 1


def test_value__above_the_fee__credited(service_manager, user):
    create(service_manager, OTHER_ROOT, user, value=3 * FEE_WEI)
    assert service_manager.batchersBalances(user) == 2 * FEE_WEI


def test_answer__caller_is_a_contract_that_takes_no_ether__still_verified(
    service_manager, registry, members, task, user, accounts, web3
):
    """A pushed refund that fails would block the answer; ours is a credit."""
    web3.provider.make_request("anvil_setBalance", [registry.address, hex(10**18)])
    contract = accounts[registry.address]
    answer = sign_task(service_manager, registry, task, user.address, members)
    service_manager.respondToTask(task, user, answer.abi(), sender=contract)
    assert service_manager.batchStatus(task, user) == 2
    credit = service_manager.batchersBalances(contract)
    assert credit > 0
    assert revert_of(service_manager.withdraw, credit, sender=contract).startswith("TransferFailed(")


@pytest.mark.parametrize("absent", [0, 1])
@pytest.mark.parametrize("pad", [0, 100_000])
def test_answer__paid__about_its_gas_and_never_more(
    service_manager, registry, members, task, user, responder, absent, pad
):
    """Calldata stretched with zeros is not refunded, so nobody earns by answering."""
    service_manager.depositToBatcher(responder, value=1, sender=responder)  # has a balance, as in daily work
    answer = sign_task(service_manager, registry, task, user.address, members, absent=members[:absent])
    data = service_manager.respondToTask.encode_input(task, user, answer.abi()) + bytes(pad)
    receipt = responder.transfer(
        service_manager.address, 0, data=data, gas_limit=5_000_000, max_fee=3 * GWEI, max_priority_fee=GWEI
    )
    [event] = receipt.decode_logs(service_manager.ResponsePaid)
    cost = receipt.gas_used * receipt.gas_price
    assert event.paidWei <= cost
    if pad == 0:
        assert event.paidWei >= cost * 98 // 100
    assert service_manager.batchersBalances(responder) == event.paidWei + 1


def test_answer__caller_tips_itself__tip_refunded_up_to_the_bound(
    service_manager, registry, members, params, task, user, responder, chain
):
    answer = sign_task(service_manager, registry, task, user.address, members)
    receipt = service_manager.respondToTask(
        task,
        user,
        answer.abi(),
        sender=responder,
        gas_limit=500_000,
        max_fee=900 * GWEI,
        max_priority_fee=800 * GWEI,
    )
    [event] = receipt.decode_logs(service_manager.ResponsePaid)
    base_fee = chain.blocks[receipt.block_number].base_fee
    assert event.paidWei <= receipt.gas_used * (base_fee + params.service.max_tip_gwei * GWEI)


def test_answer__costs_more_than_the_fee__pays_the_fee_and_no_other_money(
    service_manager, registry, members, params, user, responder, chain
):
    least = params.service.min_fee_wei
    service_manager.depositToBatcher(user, value=FEE_WEI, sender=user)
    create(service_manager, OTHER_ROOT, user, value=least, fee=least)
    chain.mine(1)
    answer = sign_task(service_manager, registry, OTHER_ROOT, user.address, members)
    receipt = service_manager.respondToTask(
        OTHER_ROOT,
        user,
        answer.abi(),
        sender=responder,
        gas_limit=500_000,
        max_fee=9_000 * GWEI,
        max_priority_fee=10 * GWEI,
    )
    [event] = receipt.decode_logs(service_manager.ResponsePaid)
    assert event.paidWei <= least
    assert service_manager.batchersBalances(user) == FEE_WEI


def test_answered_task__rest_of_the_fee__is_the_submitters_once(
    service_manager, registry, members, task, user, responder
):
    answer = sign_task(service_manager, registry, task, user.address, members)
    receipt = service_manager.respondToTask(task, user, answer.abi(), sender=responder)
    [event] = receipt.decode_logs(service_manager.ResponsePaid)
    service_manager.reclaim(task, sender=user)
    assert service_manager.batchersBalances(user) == FEE_WEI - event.paidWei
    assert revert_of(service_manager.reclaim, task, sender=user).startswith("NothingToReclaim(")
    assert service_manager.batchStatus(task, user) == 2


def test_unanswered_task__window_over__whole_fee_comes_back(service_manager, params, task, user, chain):
    assert revert_of(service_manager.reclaim, task, sender=user).startswith("BatchStillPending(")
    chain.mine(params.service.response_window_blocks)
    assert service_manager.batchStatus(task, user) == 3
    service_manager.reclaim(task, sender=user)
    before = user.balance
    receipt = service_manager.withdraw(FEE_WEI, sender=user)
    assert user.balance == before + FEE_WEI - receipt.total_fees_paid
    assert service_manager.batchStatus(task, user) == 3


def test_unanswered_task__at_its_very_last_block__is_still_pending(service_manager, task, user, chain, web3):
    """An answer in that block is taken, so its fee must still be there."""
    last = service_manager.lastResponseBlock(batch_id(task, user.address))
    chain.mine(last - 1 - web3.eth.block_number)  # the call below is of the next block
    error = revert_of(service_manager.reclaim, task, sender=user)
    assert error.startswith("BatchStillPending(")
    assert error.endswith(f", {last})")
    chain.mine(1)
    receipt = service_manager.reclaim(task, sender=user)
    assert receipt.block_number == last + 1
    assert service_manager.batchersBalances(user) == FEE_WEI


def test_unanswered_task__by_somebody_else__not_reclaimable(service_manager, params, task, non_owner, chain):
    chain.mine(params.service.response_window_blocks + 1)
    assert revert_of(service_manager.reclaim, task, sender=non_owner).startswith("BatchDoesNotExist(")


def test_unanswered_task__not_reclaimed_yet__root_stays_taken(service_manager, params, task, user, chain):
    """Overwriting the record would lose the fee that is still in it."""
    chain.mine(params.service.response_window_blocks + 1)
    args = (task, POINTER, FEE_WEI)
    error = revert_of(service_manager.createNewTask, *args, sender=user, value=FEE_WEI)
    assert error.startswith("BatchAlreadySubmitted(")


def test_expired_task__answered_late__refused(
    service_manager, registry, members, params, task, user, responder, chain
):
    answer = sign_task(service_manager, registry, task, user.address, members)
    chain.mine(params.service.response_window_blocks + 1)
    service_manager.reclaim(task, sender=user)
    error = revert_of(service_manager.respondToTask, task, user, answer.abi(), sender=responder)
    assert error.startswith("ResponseWindowClosed(")


def test_deposit__zero_or_for_nobody__refused(service_manager, user):
    assert revert_of(service_manager.depositToBatcher, user, sender=user) == "InvalidDepositAmount(0)"
    nobody = "0x" + "00" * 20
    error = revert_of(service_manager.depositToBatcher, nobody, sender=user, value=1)
    assert error == "ZeroAddress(account)"


def test_batches_state__of_all_lives__in_the_references_shape(
    service_manager, registry, members, task, user, responder
):
    identifier = batch_id(task, user.address)
    block, responded, fee = service_manager.batchesState(identifier)
    assert (responded, fee) == (False, FEE_WEI)
    assert service_manager.lastResponseBlock(identifier) == block + service_manager.config()[4]
    answer = sign_task(service_manager, registry, task, user.address, members)
    service_manager.respondToTask(task, user, answer.abi(), sender=responder)
    assert service_manager.batchesState(identifier)[:2] == (block, True)
    assert service_manager.batchesState(b"\x01" * 32) == (0, False, 0)
