"""Holes around the batcher's right to charge: caps, poor users, frozen withdrawals, surplus."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from quorum_helper import FEE_WEI, POINTER, sign_task
from reverting import revert_of

ROOT = b"\x44" * 32
FEE_PER_PROOF = 5 * 10**15
DEPOSIT = 10**17
HOUR_S = 3_600


@pytest.fixture
def users(accounts, payment_service):
    """Four users with equal deposits."""
    chosen = [accounts[i] for i in range(2, 6)]
    for user in chosen:
        payment_service.deposit(user, value=DEPOSIT, sender=user)
    return chosen


def charge(payment_service, batcher, submitters, root=ROOT, fee=FEE_PER_PROOF, value=0, limit=FEE_WEI):
    return payment_service.createNewTask(
        root, POINTER, submitters, limit, fee, limit, value=value, sender=batcher
    )


def refused(payment_service, sender, submitters, fee=FEE_PER_PROOF, for_aggregator=FEE_WEI, limit=FEE_WEI):
    args = (ROOT, POINTER, submitters, for_aggregator, fee, limit)
    return revert_of(payment_service.createNewTask, *args, sender=sender)


def payers_hash(payers) -> bytes:
    return keccak(b"".join(bytes.fromhex(payer.address[2:]).rjust(32, b"\0") for payer in payers))


def skipped(payment_service, receipt):
    return [(e.submitter, e.reason) for e in receipt.decode_logs(payment_service.SubmitterSkipped)]


def test_batch__all_can_pay__each_entry_charged_once(payment_service, service_manager, batcher, users):
    submitters = [users[0], users[1], users[1], users[0]]
    receipt = charge(payment_service, batcher, submitters)
    assert [payment_service.user_balances(u) for u in users[:2]] == [DEPOSIT - 2 * FEE_PER_PROOF] * 2
    assert [payment_service.user_nonces(u) for u in users[:2]] == [2, 2]
    assert payment_service.batcherEarnings() == 4 * FEE_PER_PROOF - FEE_WEI
    assert payment_service.payersHash(ROOT) == payers_hash(submitters)
    assert service_manager.batchStatus(ROOT, payment_service) == 1
    [event] = receipt.decode_logs(payment_service.TaskCreated)
    assert (event.feePerProof, event.amountOfProofs) == (FEE_PER_PROOF, 4)


def test_cap__of_the_user__batcher_cannot_charge_above_it(payment_service, batcher, users):
    """The reference's batcher could charge any user any amount."""
    payment_service.setFeeCap(FEE_PER_PROOF - 1, sender=users[0])
    receipt = charge(payment_service, batcher, [users[0], users[1], users[2]])
    assert payment_service.user_balances(users[0]) == DEPOSIT
    assert skipped(payment_service, receipt) == [(users[0].address, 1)]
    assert payment_service.payersHash(ROOT) == payers_hash(users[1:3])


def test_cap__default__bounds_users_who_set_none(payment_service, params, batcher, users):
    cap = params.payment.default_fee_cap_wei
    assert payment_service.feeCapOf(users[0]) == payment_service.DEFAULT_FEE_CAP() == cap
    receipt = charge(payment_service, batcher, users[:2], fee=cap + 1, value=FEE_WEI)
    assert skipped(payment_service, receipt) == [(u.address, 1) for u in users[:2]]
    assert [payment_service.user_balances(u) for u in users[:2]] == [DEPOSIT] * 2


def test_cap__set_and_taken_back__is_the_default_again(payment_service, params, users):
    payment_service.setFeeCap(7, sender=users[0])
    assert payment_service.feeCapOf(users[0]) == 7
    payment_service.setFeeCap(0, sender=users[0])
    assert payment_service.feeCapOf(users[0]) == params.payment.default_fee_cap_wei
    assert revert_of(payment_service.setFeeCap, 2**64, sender=users[0]).startswith("CapTooHigh(")


def test_poor_user__in_the_middle_of_a_batch__skipped_not_reverted(
    payment_service, batcher, users, non_owner
):
    payment_service.deposit(non_owner, value=FEE_PER_PROOF + 1, sender=non_owner)
    submitters = [users[0], non_owner, non_owner, non_owner, users[1], users[2]]
    receipt = charge(payment_service, batcher, submitters)
    assert skipped(payment_service, receipt) == [(non_owner.address, 0)] * 2
    assert payment_service.user_balances(non_owner) == 1
    assert payment_service.user_nonces(non_owner) == 3
    assert payment_service.payersHash(ROOT) == payers_hash([users[0], non_owner, users[1], users[2]])


def test_stranger__without_an_account__skipped(payment_service, batcher, users, newcomer):
    receipt = charge(payment_service, batcher, [newcomer, users[0], users[1]])
    assert skipped(payment_service, receipt) == [(newcomer.address, 0)]


def test_batch__nobody_can_pay__needs_the_batchers_money_and_returns_it(
    payment_service, params, batcher, newcomer, chain
):
    assert refused(payment_service, batcher, [newcomer]).startswith("InsufficientFeeForAggregator(")
    charge(payment_service, batcher, [newcomer], value=FEE_WEI)
    chain.mine(params.service.response_window_blocks + 1)
    payment_service.settle(ROOT, [], sender=newcomer)
    assert payment_service.batcherEarnings() == FEE_WEI


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


def test_withdrawal__more_than_the_balance__refused(payment_service, users):
    error = revert_of(payment_service.withdraw, DEPOSIT + 1, sender=users[0])
    assert error == f"PayerInsufficientBalance({DEPOSIT}, {DEPOSIT + 1})"


def test_lock__without_funds__refused(payment_service, newcomer):
    assert revert_of(payment_service.unlock, sender=newcomer).startswith("UserHasNoFundsToUnlock(")
    assert revert_of(payment_service.lock, sender=newcomer).startswith("UserHasNoFundsToLock(")


def test_plain_transfer__credits_the_sender(payment_service, newcomer):
    newcomer.transfer(payment_service.address, 5)
    assert payment_service.user_balances(newcomer) == 5


def test_unanswered_batch__settled__payers_get_everything_back(
    payment_service, service_manager, params, batcher, users, newcomer, chain
):
    """The reference kept the money of batches that nobody answered."""
    charge(payment_service, batcher, users)
    assert revert_of(payment_service.settle, ROOT, users, sender=newcomer).startswith("BatchStillPending(")
    chain.mine(params.service.response_window_blocks + 1)
    payment_service.settle(ROOT, users, sender=newcomer)
    share = FEE_WEI // len(users)
    assert [payment_service.user_balances(u) for u in users] == [DEPOSIT - FEE_PER_PROOF + share] * 4
    assert revert_of(payment_service.settle, ROOT, users, sender=newcomer).startswith("NothingToSettle(")


def test_answered_batch__settled__surplus_goes_to_the_payers_dust_to_the_first(
    payment_service, service_manager, registry, members, batcher, users, responder, chain
):
    payers = [users[0], users[1], users[1]]
    charge(payment_service, batcher, payers)
    chain.mine(1)
    answer = sign_task(service_manager, registry, ROOT, payment_service.address, members)
    receipt = service_manager.respondToTask(ROOT, payment_service, answer.abi(), sender=responder)
    [event] = receipt.decode_logs(service_manager.ResponsePaid)
    surplus = FEE_WEI - event.paidWei
    payment_service.settle(ROOT, payers, sender=responder)
    share, dust = divmod(surplus, 3)
    assert payment_service.user_balances(users[0]) == DEPOSIT - FEE_PER_PROOF + share + dust
    assert payment_service.user_balances(users[1]) == DEPOSIT - 2 * FEE_PER_PROOF + 2 * share
    assert service_manager.batchersBalances(payment_service) == 0


def test_settle__other_payers__refused(payment_service, params, batcher, users, chain):
    charge(payment_service, batcher, users)
    chain.mine(params.service.response_window_blocks + 1)
    for wrong in (users[::-1], users[:3], [*users, users[0]], []):
        assert revert_of(payment_service.settle, ROOT, wrong, sender=users[0]).startswith("PayersMismatch(")


def test_expired_batch__tried_again_after_settling__accepted(payment_service, params, batcher, users, chain):
    charge(payment_service, batcher, users)
    chain.mine(params.service.response_window_blocks + 1)
    assert refused(payment_service, batcher, users).startswith("BatchAlreadySubmitted(")
    payment_service.settle(ROOT, users, sender=batcher)
    charge(payment_service, batcher, users)
    assert payment_service.payersHash(ROOT) == payers_hash(users)


def test_batcher__rotated__earnings_go_to_the_new_one(payment_service, owner, batcher, users, newcomer):
    charge(payment_service, batcher, users)
    earned = payment_service.batcherEarnings()
    payment_service.proposeBatcher(newcomer, sender=owner)
    assert revert_of(payment_service.acceptBatcher, sender=users[0]).startswith("OnlyPendingBatcher(")
    payment_service.acceptBatcher(sender=newcomer)
    assert revert_of(payment_service.withdrawEarnings, sender=batcher).startswith("OnlyBatcherAllowed(")
    before = newcomer.balance
    receipt = payment_service.withdrawEarnings(sender=newcomer)
    assert newcomer.balance == before + earned - receipt.total_fees_paid
