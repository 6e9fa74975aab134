"""Holes around the batcher's right to charge: caps, poor users, frozen withdrawals. Settling: test_holes_settlement."""

from __future__ import annotations

import pytest
from payment_helper import (
    DEPOSIT,
    FEE_PER_PROOF,
    HOUR_S,
    ROOT,
    charge,
    funding,
    refused,
    settlement_hash,
    skipped,
)
from quorum_helper import FEE_WEI, POINTER
from reverting import revert_of


def test_batch__all_can_pay__each_entry_charged_once(payment_service, service_manager, batcher, users):
    submitters = [users[0], users[1], users[1], users[0]]
    receipt = charge(payment_service, batcher, submitters)
    assert [payment_service.user_balances(u) for u in users[:2]] == [DEPOSIT - 2 * FEE_PER_PROOF] * 2
    assert [payment_service.user_nonces(u) for u in users[:2]] == [2, 2]
    funded = funding(payment_service, receipt)
    assert funded.payers_fee_wei == FEE_WEI
    assert payment_service.batcherEarnings() == 4 * FEE_PER_PROOF - FEE_WEI - funded.held_wei > 0
    assert payment_service.settlementHash(ROOT) == settlement_hash(submitters, funded)
    assert service_manager.batchStatus(ROOT, payment_service) == 1
    [event] = receipt.decode_logs(payment_service.TaskCreated)
    assert (event.feePerProof, event.amountOfProofs) == (FEE_PER_PROOF, 4)


def test_cap__of_the_user__batcher_cannot_charge_above_it(payment_service, batcher, users):
    """The reference's batcher could charge any user any amount."""
    own_cap = payment_service.DEFAULT_FEE_CAP() + 1
    payment_service.setFeeCap(own_cap, sender=users[0])
    receipt = charge(payment_service, batcher, [users[0], users[1], users[2]], fee=own_cap, value=FEE_WEI)
    assert payment_service.user_balances(users[0]) == DEPOSIT - own_cap
    assert skipped(payment_service, receipt) == [(u.address, 1, 1) for u in users[1:3]]
    assert [payment_service.user_balances(u) for u in users[1:3]] == [DEPOSIT] * 2
    assert payment_service.settlementHash(ROOT) == settlement_hash(
        users[:1], funding(payment_service, receipt)
    )


def test_cap__default__bounds_users_who_set_none(payment_service, params, batcher, users):
    cap = params.payment.default_fee_cap_wei
    assert payment_service.feeCapOf(users[0]) == payment_service.DEFAULT_FEE_CAP() == cap
    receipt = charge(payment_service, batcher, users[:2], fee=cap + 1, value=FEE_WEI)
    assert skipped(payment_service, receipt) == [(u.address, 1, 1) for u in users[:2]]
    assert [payment_service.user_balances(u) for u in users[:2]] == [DEPOSIT] * 2


def test_account__one_view__says_what_the_four_say(payment_service, batcher, users, newcomer):
    charge(payment_service, batcher, users[:2])
    payment_service.setFeeCap(7, sender=newcomer)
    payment_service.unlock(sender=users[0])
    views = ("user_nonces", "user_balances", "user_unlock_block", "feeCapOf")
    for user in (users[0], users[1], newcomer):
        found = payment_service.accountOf(user)
        said = (found.nonce, found.balanceWei, found.unlockTime, found.feeCapWei)
        assert said == tuple(getattr(payment_service, view)(user) for view in views)
    assert payment_service.accountOf(users[0]).unlockTime > 0
    assert payment_service.accountOf(users[0]).nonce == 1


def test_cap__set_and_taken_back__is_the_default_again(payment_service, params, newcomer):
    payment_service.setFeeCap(7, sender=newcomer)
    assert payment_service.feeCapOf(newcomer) == 7
    payment_service.setFeeCap(0, sender=newcomer)
    assert payment_service.feeCapOf(newcomer) == params.payment.default_fee_cap_wei
    assert revert_of(payment_service.setFeeCap, 2**64, sender=newcomer).startswith("CapTooHigh(")


def test_cap__lowered_in_front_of_a_batch__refused_and_the_batch_goes_through(
    payment_service, batcher, users
):
    """A cap that falls at once would revert everybody's batch, or let its owner's proofs through for free."""
    for cap in (1, FEE_PER_PROOF - 1):
        assert revert_of(payment_service.setFeeCap, cap, sender=users[0]).startswith("CapLocked(0, ")
    receipt = charge(payment_service, batcher, users[:2])  # needs both of them: no wei to spare
    assert skipped(payment_service, receipt) == []
    assert funding(payment_service, receipt).payers_fee_wei == 2 * FEE_PER_PROOF == FEE_WEI


def test_cap__lowered_with_the_notice_of_a_withdrawal__accepted(payment_service, users, chain):
    payment_service.setFeeCap(10**17, sender=users[0])  # raising needs no notice
    assert revert_of(payment_service.setFeeCap, 10**17 - 1, sender=users[0]).startswith("CapLocked(0, ")
    payment_service.unlock(sender=users[0])
    assert revert_of(payment_service.setFeeCap, 0, sender=users[0]).startswith("CapLocked(")
    chain.pending_timestamp += HOUR_S
    payment_service.setFeeCap(1, sender=users[0])
    payment_service.lock(sender=users[0])
    assert payment_service.feeCapOf(users[0]) == 1


def test_poor_user__in_the_middle_of_a_batch__skipped_not_reverted(
    payment_service, batcher, users, non_owner
):
    payment_service.deposit(non_owner, value=FEE_PER_PROOF + 1, sender=non_owner)
    submitters = [users[0], non_owner, non_owner, non_owner, users[1], users[2]]
    receipt = charge(payment_service, batcher, submitters)
    assert skipped(payment_service, receipt) == [(non_owner.address, 0, 2)]
    assert payment_service.user_balances(non_owner) == 1
    assert payment_service.user_nonces(non_owner) == 3
    payers = [users[0], non_owner, users[1], users[2]]
    assert payment_service.settlementHash(ROOT) == settlement_hash(payers, funding(payment_service, receipt))


def test_stranger__without_an_account__skipped(payment_service, batcher, users, newcomer):
    receipt = charge(payment_service, batcher, [newcomer, users[0], users[1]])
    assert skipped(payment_service, receipt) == [(newcomer.address, 0, 1)]


def test_batch__by_anyone_else__refused(payment_service, users, owner):
    for caller in (users[0], owner):
        assert refused(payment_service, caller, users).startswith("OnlyBatcherAllowed(")


def test_batch__empty_or_free_or_overdrawn__refused(payment_service, batcher, users):
    assert refused(payment_service, batcher, []) == "NoProofSubmitters()"
    assert refused(payment_service, batcher, users, fee=0) == "NoFeePerProof()"
    over = refused(payment_service, batcher, users, for_aggregator=FEE_WEI, limit=FEE_WEI + 1)
    assert over == f"InsufficientFeeForAggregator({FEE_WEI}, {FEE_WEI + 1})"
    short = refused(payment_service, batcher, users[:1])
    assert short == f"InsufficientFeeForAggregator({FEE_WEI}, {FEE_PER_PROOF})"


def test_batch__largest_numbers__refused_not_wrapped_around(payment_service, batcher, users):
    """Fees near 2^256 must not overflow into a small sum."""
    for fee in (2**255, 2**256 - 1, 2**96, 2**64):
        assert refused(payment_service, batcher, users * 2, fee=fee).startswith(
            "InsufficientFeeForAggregator("
        )


def test_batch__address_with_dirty_upper_bytes__refused(payment_service, batcher, users, web3):
    data = bytearray(
        payment_service.createNewTask.encode_input(ROOT, POINTER, users, FEE_WEI, FEE_PER_PROOF, FEE_WEI)
    )
    data[-32] = 1
    transaction = {"from": batcher.address, "to": payment_service.address, "data": bytes(data)}
    with pytest.raises(Exception, match="0x"):
        web3.eth.call(transaction, "pending")


def test_withdrawal__after_the_hour__sent_in_full(payment_service, users, chain):
    user = users[0]
    assert revert_of(payment_service.withdraw, DEPOSIT, sender=user).startswith("FundsLocked(0, ")
    payment_service.unlock(sender=user)
    assert revert_of(payment_service.withdraw, DEPOSIT, sender=user).startswith("FundsLocked(")
    chain.pending_timestamp += HOUR_S
    before = user.balance
    receipt = payment_service.withdraw(DEPOSIT, sender=user)
    assert user.balance == before + DEPOSIT - receipt.total_fees_paid
    assert payment_service.user_unlock_block(user) == 0


def test_withdrawal__intake_paused__still_possible(
    payment_service, service_manager, owner, batcher, users, chain
):
    """The reference's owner could freeze user money by pausing."""
    payment_service.setIntakePaused(True, sender=owner)
    service_manager.setIntakePaused(True, sender=owner)
    assert payment_service.paused()
    assert refused(payment_service, batcher, users) == "IntakePaused()"
    payment_service.unlock(sender=users[0])
    chain.pending_timestamp += HOUR_S
    payment_service.withdraw(DEPOSIT, sender=users[0])
    assert payment_service.user_balances(users[0]) == 0


def test_withdrawal__somebody_else_deposits__not_locked_again(payment_service, users, non_owner, chain):
    """1 wei from a stranger before each withdrawal would otherwise hold the money for ever."""
    payment_service.unlock(sender=users[0])
    chain.pending_timestamp += HOUR_S
    payment_service.deposit(users[0], value=1, sender=non_owner)
    payment_service.withdraw(DEPOSIT, sender=users[0])
    payment_service.unlock(sender=users[0])
    payment_service.deposit(users[0], value=1, sender=users[0])
    assert payment_service.user_unlock_block(users[0]) == 0


def test_withdrawal__waiting_time_over__not_charged_any_more(payment_service, batcher, users, chain):
    """The batcher could otherwise empty the account in front of the withdrawal."""
    payment_service.unlock(sender=users[0])
    charge(payment_service, batcher, [users[0], users[0], users[1]], root=b"\x45" * 32)  # still in the hour
    left = payment_service.user_balances(users[0])
    assert left == DEPOSIT - 2 * FEE_PER_PROOF
    chain.pending_timestamp += HOUR_S
    receipt = charge(payment_service, batcher, [users[0], users[0], users[1], users[2]])
    assert skipped(payment_service, receipt) == [(users[0].address, 2, 2)]
    payment_service.withdraw(left, sender=users[0])


def test_withdrawal__lock_again__charged_again(payment_service, batcher, users, chain):
    payment_service.unlock(sender=users[0])
    chain.pending_timestamp += HOUR_S
    payment_service.lock(sender=users[0])
    assert skipped(payment_service, charge(payment_service, batcher, users)) == []


def test_withdrawal__more_than_the_balance__refused(payment_service, users):
    error = revert_of(payment_service.withdraw, DEPOSIT + 1, sender=users[0])
    assert error == f"PayerInsufficientBalance({DEPOSIT}, {DEPOSIT + 1})"


def test_lock__without_funds__refused(payment_service, newcomer):
    assert revert_of(payment_service.unlock, sender=newcomer).startswith("UserHasNoFundsToUnlock(")
    assert revert_of(payment_service.lock, sender=newcomer).startswith("UserHasNoFundsToLock(")


def test_plain_transfer__credits_the_sender(payment_service, newcomer):
    newcomer.transfer(payment_service.address, 5)
    assert payment_service.user_balances(newcomer) == 5
