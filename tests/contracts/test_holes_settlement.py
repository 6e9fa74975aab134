"""Holes around what a batch did not cost: it goes back to those who paid, and the batcher cannot keep it."""

from __future__ import annotations

import pytest
from payment_helper import (
    BASE_FEE_WEI,
    DEPOSIT,
    FEE_PER_PROOF,
    GWEI,
    ROOT,
    TIP_WEI,
    Funding,
    charge,
    deposit_more,
    funding,
    price,
    refused,
    settle,
    settlement_hash,
)
from quorum_helper import FEE_WEI, sign_task
from reverting import revert_of

REWARD_PERCENT = 120


@pytest.fixture
def expire(chain, params):
    """Lets the response window pass."""
    return lambda: chain.mine(params.service.response_window_blocks + 1)


@pytest.fixture
def answer_it(service_manager, payment_service, registry, members, responder, chain):
    """Answers the batch; what the answer was paid."""

    def answer(root: bytes = ROOT, **options: int) -> int:
        chain.mine(1)
        quorum = sign_task(service_manager, registry, root, payment_service.address, members).abi()
        receipt = service_manager.respondToTask(
            root, payment_service, quorum, sender=responder, gas_limit=500_000, **options
        )
        [event] = receipt.decode_logs(service_manager.ResponsePaid)
        return event.paidWei

    return answer


def balances(payment_service, users) -> int:
    return sum(payment_service.user_balances(user) for user in users)


@pytest.mark.parametrize("entries", [1, 4, 100])
def test_reward__of_the_batcher__about_its_gas_and_never_above_the_bound(
    payment_service, batcher, users, web3, entries
):
    deposit_more(payment_service, users)
    charge(
        payment_service, batcher, users, root=b"\x01" * 32
    )  # earnings and nonces are above 0, as in daily work
    before = payment_service.batcherEarnings()
    submitters = sorted(users * 25, key=lambda user: user.address)[:entries]
    options = price(web3) | {"fee": payment_service.DEFAULT_FEE_CAP(), "limit": FEE_WEI // 2}
    receipt = charge(payment_service, batcher, submitters, **options)
    reward = payment_service.batcherEarnings() - before
    bound = receipt.gas_used * receipt.gas_price * REWARD_PERCENT // 100
    assert receipt.gas_price == BASE_FEE_WEI + TIP_WEI
    assert bound * 98 // 100 <= reward <= bound


def test_reward__tip_or_gas_price_driven_up__bounded(payment_service, batcher, users, web3):
    """A batcher that builds its own blocks gets its tip back: it must not be paid for it as well."""
    receipt = charge(payment_service, batcher, users, **price(web3, GWEI, 900 * GWEI))
    bound = receipt.gas_used * (GWEI + TIP_WEI) * REWARD_PERCENT // 100
    assert 0 < payment_service.batcherEarnings() <= bound
    assert funding(payment_service, receipt).held_wei >= 4 * FEE_PER_PROOF - FEE_WEI - bound


def test_reward__margin_smaller_than_the_gas__is_the_margin(payment_service, batcher, users, web3):
    receipt = charge(payment_service, batcher, users, fee=FEE_WEI // 4 + 1, **price(web3))
    assert payment_service.batcherEarnings() == 4
    assert funding(payment_service, receipt) == Funding(0, FEE_WEI)


def test_drain__every_entry_charged_at_the_cap__only_bounded_gas_is_lost(
    payment_service, batcher, users, newcomer, expire, web3
):
    """A lying batcher charges all that the caps allow, for batches that nobody will ever answer."""
    cap = payment_service.DEFAULT_FEE_CAP()
    deposit_more(payment_service, users)
    deposited, allowed = balances(payment_service, users), 0
    roots = [bytes([i]) * 32 for i in range(1, 4)]
    funded = []
    for root in roots:
        receipt = charge(payment_service, batcher, users * 5, root=root, fee=cap, **price(web3))
        allowed += receipt.gas_used * receipt.gas_price * REWARD_PERCENT // 100
        funded.append(funding(payment_service, receipt))
    assert balances(payment_service, users) == deposited - 60 * cap
    payment_service.withdrawEarnings(sender=batcher)
    expire()
    for root, terms in zip(roots, funded, strict=True):
        settle(payment_service, users * 5, terms, newcomer, root)
    assert deposited - allowed <= balances(payment_service, users) < deposited
    assert payment_service.batcherEarnings() == 0
    assert payment_service.balance == balances(payment_service, users)


def test_unanswered_batch__settled__payers_get_everything_back_but_the_posting_cost(
    payment_service, service_manager, batcher, users, newcomer, expire
):
    """The reference kept the money of batches that nobody answered."""
    receipt = charge(payment_service, batcher, users)
    funded, reward = funding(payment_service, receipt), payment_service.batcherEarnings()
    early = revert_of(payment_service.settle, ROOT, users, *funded.args(), sender=newcomer)
    assert early.startswith("BatchNotFinal(")
    expire()
    settle(payment_service, users, funded, newcomer)
    assert balances(payment_service, users) == 4 * DEPOSIT - reward
    assert 0 < reward <= receipt.gas_used * receipt.gas_price * REWARD_PERCENT // 100
    assert payment_service.batcherEarnings() == reward
    again = revert_of(payment_service.settle, ROOT, users, *funded.args(), sender=newcomer)
    assert again.startswith("NothingToSettle(")


def test_answered_batch__settled__surplus_goes_to_the_payers_dust_to_the_first(
    payment_service, service_manager, batcher, users, responder, answer_it
):
    payers = [users[0], users[1], users[1]]
    funded = funding(payment_service, charge(payment_service, batcher, payers))
    back = FEE_WEI - answer_it() + funded.held_wei
    settle(payment_service, payers, funded, responder)
    share, dust = divmod(back, 3)
    assert payment_service.user_balances(users[0]) == DEPOSIT - FEE_PER_PROOF + share + dust
    assert payment_service.user_balances(users[1]) == DEPOSIT - 2 * FEE_PER_PROOF + 2 * share
    assert service_manager.batchersBalances(payment_service) == 0


def test_fee__used_up_by_the_answer__held_money_still_comes_back(
    payment_service, params, batcher, users, newcomer, answer_it, web3
):
    """Nothing to reclaim must not mean nothing to settle."""
    least = params.service.min_fee_wei
    funded = funding(payment_service, charge(payment_service, batcher, users, limit=least), least)
    reward = payment_service.batcherEarnings()
    web3.provider.make_request("anvil_setNextBlockBaseFeePerGas", [hex(10 * GWEI)])
    assert answer_it(max_fee=9_000 * GWEI, max_priority_fee=9_000 * GWEI) <= least
    settle(payment_service, users, funded, newcomer)
    assert balances(payment_service, users) >= 4 * DEPOSIT - reward - least


def test_revoked_batch__settled__like_an_answered_one(
    payment_service, service_manager, owner, batcher, users, newcomer, answer_it
):
    funded = funding(payment_service, charge(payment_service, batcher, users))
    reward, paid = payment_service.batcherEarnings(), answer_it()
    service_manager.revokeBatch(ROOT, payment_service, sender=owner)
    settle(payment_service, users, funded, newcomer)
    assert balances(payment_service, users) == 4 * DEPOSIT - reward - paid


def test_batch__nobody_can_pay__batchers_money_comes_back_to_it(payment_service, batcher, newcomer, expire):
    assert refused(payment_service, batcher, [newcomer]).startswith("InsufficientFeeForAggregator(")
    receipt = charge(payment_service, batcher, [newcomer], value=FEE_WEI + 3)
    assert funding(payment_service, receipt) == Funding(0, 0)
    assert payment_service.batcherEarnings() == 3  # what the fee did not need
    expire()
    settle(payment_service, [], Funding(0, 0), newcomer)
    assert payment_service.batcherEarnings() == FEE_WEI + 3
    assert payment_service.user_balances(newcomer) == 0


@pytest.mark.parametrize("is_answered", [True, False])
def test_batch__batcher_pays_a_part_of_the_fee__gets_its_part_of_the_surplus(
    payment_service, batcher, users, newcomer, answer_it, expire, is_answered
):
    own = FEE_WEI - FEE_PER_PROOF  # one user brings half of the fee
    funded = funding(payment_service, charge(payment_service, batcher, users[:1], value=own))
    assert funded == Funding(0, FEE_PER_PROOF)
    if is_answered:
        surplus = FEE_WEI - answer_it()
    else:
        expire()
        surplus = FEE_WEI
    settle(payment_service, users[:1], funded, newcomer)
    batchers = surplus * own // FEE_WEI
    assert payment_service.batcherEarnings() == batchers
    assert payment_service.user_balances(users[0]) == DEPOSIT - FEE_PER_PROOF + surplus - batchers


def test_batch__batcher_adds_money_that_users_brought_already__keeps_it(payment_service, batcher, users):
    """msg.value is credited, and does not turn users' money into earnings."""
    receipt = charge(payment_service, batcher, users, value=FEE_WEI)
    funded = funding(payment_service, receipt)
    reward = 4 * FEE_PER_PROOF - FEE_WEI - funded.held_wei
    assert funded.payers_fee_wei == FEE_WEI
    assert payment_service.batcherEarnings() == FEE_WEI + reward
    assert reward <= receipt.gas_used * receipt.gas_price * REWARD_PERCENT // 100


def test_settle__other_payers_or_amounts__refused(payment_service, batcher, users, expire):
    funded = funding(payment_service, charge(payment_service, batcher, users))
    expire()
    wrong = [(payers, funded.args()) for payers in (users[::-1], users[:3], [*users, users[0]], [])]
    for i in range(3):
        amounts = list(funded.args())
        amounts[i] += 1
        wrong.append((users, tuple(amounts)))
    for payers, amounts in wrong:
        error = revert_of(payment_service.settle, ROOT, payers, *amounts, sender=users[0])
        assert error.startswith("SettlementMismatch(")


def test_settle__funds_withdrawable__credited_and_not_locked_again(
    payment_service, batcher, users, newcomer, expire
):
    funded = funding(payment_service, charge(payment_service, batcher, users))
    payment_service.unlock(sender=users[0])
    unlock_time = payment_service.user_unlock_block(users[0])
    expire()
    settle(payment_service, users, funded, newcomer)
    assert payment_service.user_unlock_block(users[0]) == unlock_time > 0


def test_settle__one_payer_of_many_proofs__read_and_written_once(
    payment_service, batcher, users, newcomer, expire
):
    deposit_more(payment_service, users)
    funded = funding(payment_service, charge(payment_service, batcher, users[:1] * 100))
    expire()
    receipt = settle(payment_service, users[:1] * 100, funded, newcomer)
    assert receipt.gas_used < 200_000


def test_expired_batch__tried_again_after_settling__accepted(payment_service, batcher, users, expire):
    funded = funding(payment_service, charge(payment_service, batcher, users))
    expire()
    assert refused(payment_service, batcher, users).startswith("BatchAlreadySubmitted(")
    settle(payment_service, users, funded, batcher)
    receipt = charge(payment_service, batcher, users)
    again = funding(payment_service, receipt)
    assert payment_service.settlementHash(ROOT) == settlement_hash(users, again)


def test_batcher__rotated__earnings_go_to_the_new_one(payment_service, owner, batcher, users, newcomer):
    charge(payment_service, batcher, users)
    earned = payment_service.batcherEarnings()
    payment_service.proposeBatcher(newcomer, sender=owner)
    assert revert_of(payment_service.acceptBatcher, sender=users[0]).startswith("OnlyPendingBatcher(")
    payment_service.acceptBatcher(sender=newcomer)
    assert int(payment_service.pendingBatcher(), 16) == 0
    assert revert_of(payment_service.acceptBatcher, sender=newcomer).startswith("OnlyPendingBatcher(")
    assert revert_of(payment_service.withdrawEarnings, sender=batcher).startswith("OnlyBatcherAllowed(")
    before = newcomer.balance
    receipt = payment_service.withdrawEarnings(sender=newcomer)
    assert newcomer.balance == before + earned - receipt.total_fees_paid
