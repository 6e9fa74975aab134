"""Subscriptions of aggregation mode: what a payment costs and buys, and who may change the terms."""

from __future__ import annotations

import pytest
from ape.exceptions import ContractLogicError
from reverting import revert_of
from subscription_helper import DAY_S, at, now, payments

MAX_TIME_AHEAD_S = 3_650 * DAY_S


@pytest.fixture
def terms(params):
    return params.aggregation


@pytest.fixture
def price(terms) -> int:
    return terms.price_wei


def test_transfer__exact_price__one_period_for_the_sender(subscriptions, terms, price, user):
    receipt = user.transfer(subscriptions, price)
    assert payments(subscriptions, receipt) == [
        (user.address, user.address, price, terms.proofs_per_period, 0, terms.period_s)
    ]
    assert subscriptions.subscribedAddresses(user) == receipt.timestamp + terms.period_s
    assert subscriptions.balance == price


def test_deposit__for_another__credits_the_beneficiary_alone(subscriptions, terms, price, user, newcomer):
    receipt = subscriptions.deposit(newcomer, value=price, sender=user)
    assert payments(subscriptions, receipt) == [
        (newcomer.address, user.address, price, terms.proofs_per_period, 0, terms.period_s)
    ]
    assert subscriptions.subscribedAddresses(user) == 0


@pytest.mark.parametrize("sent", [0, 1, -1], ids=["nothing", "a wei", "a wei too little"])
def test_deposit__below_the_price__refused(subscriptions, price, user, sent):
    sent = price + sent if sent < 0 else sent
    error = f"InvalidDepositAmount({sent}, {price})"
    assert revert_of(subscriptions.deposit, user, sender=user, value=sent) == error


@pytest.mark.parametrize("surplus", [1, 10**18, 9_000 * 10**18])
def test_deposit__above_the_price__surplus_back_to_the_wei(subscriptions, price, user, newcomer, surplus):
    before = user.balance
    receipt = subscriptions.deposit(newcomer, value=price + surplus, sender=user)
    assert before - user.balance == price + receipt.gas_used * receipt.gas_price
    assert subscriptions.balance == price
    assert [paid.amount_wei for paid in payments(subscriptions, receipt)] == [price]


def test_deposit__zero_address__refused(subscriptions, price, user):
    zero = "0x" + "00" * 20
    assert revert_of(subscriptions.deposit, zero, sender=user, value=price) == "ZeroAddress(beneficiary)"


def test_call__unknown_function_with_the_price__refused(subscriptions, price, user):
    with pytest.raises(ContractLogicError):
        user.transfer(subscriptions, price, data="0xdeadbeef")
    assert subscriptions.balance == 0


def test_renewal__before_the_end__adds_exactly_one_period(subscriptions, terms, price, user, web3):
    first = user.transfer(subscriptions, price).timestamp
    at(web3, first + 10 * DAY_S)
    receipt = subscriptions.deposit(user, value=price, sender=user)
    end = 2 * terms.period_s
    assert subscriptions.subscribedAddresses(user) == first + end
    assert payments(subscriptions, receipt)[0][3:] == (terms.proofs_per_period, 0, end - 10 * DAY_S)


@pytest.mark.parametrize("late_s", [0, 1], ids=["at its end", "after it"])
def test_renewal__around_the_end__counts_from_the_later_of_end_and_now(
    subscriptions, terms, price, user, web3, late_s
):
    end = user.transfer(subscriptions, price).timestamp + terms.period_s
    at(web3, end + late_s)
    user.transfer(subscriptions, price)
    assert subscriptions.subscribedAddresses(user) == end + late_s + terms.period_s
    assert subscriptions.balance == 2 * price


def test_payments__three_in_one_block__stack_exactly(subscriptions, terms, price, user, web3):
    sent = {"from": user.address, "to": subscriptions.address, "value": price, "gas": 200_000}
    web3.provider.make_request("evm_setAutomine", [False])
    try:
        hashes = [web3.eth.send_transaction(sent) for _ in range(3)]
        web3.provider.make_request("evm_mine", [])
    finally:
        web3.provider.make_request("evm_setAutomine", [True])
    receipts = [web3.eth.get_transaction_receipt(tx_hash) for tx_hash in hashes]
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    ends = [int.from_bytes(receipt["logs"][0]["data"][-32:], "big") - now(web3) for receipt in receipts]
    assert ends == [terms.period_s, 2 * terms.period_s, 3 * terms.period_s]
    assert subscriptions.subscribedAddresses(user) == now(web3) + ends[-1]


def test_expiry__further_ahead_than_the_limit__refused(subscriptions, terms, price, user, web3):
    assert terms.max_ahead_s == 3 * terms.period_s
    first = user.transfer(subscriptions, price).timestamp
    for seconds in (1, 2):
        at(web3, first + seconds)
        user.transfer(subscriptions, price)
    end = first + 4 * terms.period_s
    at(web3, end - terms.max_ahead_s - 1)
    web3.provider.make_request("anvil_mine", ["0x1"])
    error = revert_of(subscriptions.deposit, user, sender=user, value=price, block="latest")
    assert error == f"SubscriptionTimeExceedsLimit({end}, {end - 1})"
    assert subscriptions.balance == 3 * price
    at(web3, end - terms.max_ahead_s)
    user.transfer(subscriptions, price)
    assert subscriptions.subscribedAddresses(user) == end


def test_deposit_on_terms__less_than_asked_for__refused(subscriptions, terms, price, user, owner):
    """Terms that change between signing and mining."""
    asked = (user, terms.proofs_per_period, terms.period_s)
    deposit = subscriptions.deposit
    subscriptions.setTerms(
        price, terms.proofs_per_period - 1, terms.period_s, terms.max_ahead_s, sender=owner
    )
    numbers = (terms.proofs_per_period - 1, terms.proofs_per_period, terms.period_s, terms.period_s)
    assert revert_of(deposit, *asked, sender=user, value=price) == f"TermsBelowMinimum{numbers}"
    subscriptions.setTerms(
        price, terms.proofs_per_period, terms.period_s - 1, terms.max_ahead_s, sender=owner
    )
    numbers = (terms.proofs_per_period, terms.proofs_per_period, terms.period_s - 1, terms.period_s)
    assert revert_of(deposit, *asked, sender=user, value=price) == f"TermsBelowMinimum{numbers}"
    subscriptions.setTerms(
        price - 1, terms.proofs_per_period + 1, terms.period_s, terms.max_ahead_s, sender=owner
    )
    receipt = deposit(*asked, value=price, sender=user)
    assert [paid.amount_wei for paid in payments(subscriptions, receipt)] == [price - 1]
    assert subscriptions.balance == price - 1


def test_price__raised_before_the_payment_is_mined__refused_and_nothing_kept(
    subscriptions, terms, price, user, owner
):
    subscriptions.setTerms(
        price + 1, terms.proofs_per_period, terms.period_s, terms.max_ahead_s, sender=owner
    )
    error = f"InvalidDepositAmount({price}, {price + 1})"
    assert revert_of(subscriptions.deposit, user, sender=user, value=price) == error
    assert (subscriptions.balance, subscriptions.subscribedAddresses(user)) == (0, 0)


def test_pause__blocks_new_subscribers_and_nobody_else(
    subscriptions, terms, price, user, newcomer, owner, web3
):
    end = user.transfer(subscriptions, price).timestamp + terms.period_s
    subscriptions.setIntakePaused(True, sender=owner)
    assert revert_of(subscriptions.deposit, newcomer, sender=user, value=price) == "IntakePaused()"
    at(web3, end)  # the last second in which it is a renewal
    user.transfer(subscriptions, price)
    at(web3, end + terms.period_s + 1)
    web3.provider.make_request("anvil_mine", ["0x1"])
    late = revert_of(subscriptions.deposit, user, sender=user, value=price, block="latest")
    assert late == "IntakePaused()"
    subscriptions.setIntakePaused(False, sender=owner)
    user.transfer(subscriptions, price)
    assert subscriptions.balance == 3 * price


def test_grant__is_no_payment(subscriptions, price, user, newcomer, owner, web3):
    until = now(web3) + 1_000 * DAY_S
    receipt = subscriptions.grant([user, newcomer, user], 7, until, sender=owner)
    granted = receipt.decode_logs(subscriptions.QuotaGranted)
    assert [(event.user, event.proofs, event.validUntil) for event in granted] == [
        (who.address, 7, until) for who in (user, newcomer, user)
    ]
    assert {event.validFrom for event in granted} == {receipt.timestamp}
    assert payments(subscriptions, receipt) == []
    assert subscriptions.subscribedAddresses(user) == 0
    subscriptions.setIntakePaused(True, sender=owner)
    assert revert_of(subscriptions.deposit, user, sender=user, value=price) == "IntakePaused()"


@pytest.mark.parametrize(
    ("proofs", "days", "error"),
    [
        (0, 1, "InvalidGrant(proofs, 0)"),
        (2**32, 1, f"InvalidGrant(proofs, {2**32})"),
        (2**256 - 1, 1, f"InvalidGrant(proofs, {2**256 - 1})"),
        (1, 0, "InvalidGrant(validUntil, "),
        (1, 3_651, "InvalidGrant(validUntil, "),
        (1, 2**200, "InvalidGrant(validUntil, "),
    ],
)
def test_grant__out_of_bounds__refused(subscriptions, owner, user, web3, proofs, days, error):
    """Numbers and times that a database or a calendar does not hold would stop whoever follows the events."""
    until = now(web3) + days * DAY_S
    assert revert_of(subscriptions.grant, [user], proofs, until, sender=owner).startswith(error)


def test_grant__zero_address_among_users__refused(subscriptions, owner, user, web3):
    users = [user, "0x" + "00" * 20]
    until = now(web3) + DAY_S
    assert revert_of(subscriptions.grant, users, 1, until, sender=owner) == "ZeroAddress(user)"


UNSAFE_TERMS = [
    ((0, 1, 1, 2), "priceWei", 0),
    ((2**96, 1, 1, 2), "priceWei", 2**96),
    ((1, 0, 1, 2), "proofsPerPeriod", 0),
    ((1, 2**32, 1, 2), "proofsPerPeriod", 2**32),
    ((1, 1, 0, 2), "periodSeconds", 0),
    ((1, 1, 2, 3), "periodSeconds", 2),
    ((1, 1, 2**256 - 1, 2), "periodSeconds", 2**256 - 1),
    ((1, 1, 1, MAX_TIME_AHEAD_S + 1), "maxAheadSeconds", MAX_TIME_AHEAD_S + 1),
    ((1, 1, 1, 2**256 - 1), "maxAheadSeconds", 2**256 - 1),
]


@pytest.mark.parametrize(("terms", "field", "value"), UNSAFE_TERMS)
def test_terms__unsafe_value__refused(subscriptions, owner, terms, field, value):
    assert revert_of(subscriptions.setTerms, *terms, sender=owner) == f"InvalidTerms({field}, {value})"


def test_terms__at_every_bound__in_force_and_announced(subscriptions, owner, user, newcomer):
    largest = (2**96 - 1, 2**32 - 1, MAX_TIME_AHEAD_S // 2, MAX_TIME_AHEAD_S)
    receipt = subscriptions.setTerms(*largest, sender=owner)
    [event] = receipt.decode_logs(subscriptions.TermsSet)
    assert (event.priceWei, event.proofsPerPeriod, event.periodSeconds, event.maxAheadSeconds) == largest
    assert (
        subscriptions.amountToPayInWei(),
        subscriptions.proofsPerPeriod(),
        subscriptions.paymentExpirationTimeSeconds(),
        subscriptions.maxSubscriptionTimeAhead(),
    ) == largest
    assert subscriptions.MAX_TIME_AHEAD() == MAX_TIME_AHEAD_S
    subscriptions.setTerms(1, 2**32 - 1, *largest[2:], sender=owner)
    receipt = subscriptions.deposit(newcomer, value=1, sender=user)
    assert payments(subscriptions, receipt)[0][2:] == (1, 2**32 - 1, 0, MAX_TIME_AHEAD_S // 2)


def test_terms__changed__what_was_bought_stays(subscriptions, price, terms, user, owner):
    end = user.transfer(subscriptions, price).timestamp + terms.period_s
    subscriptions.setTerms(price, 1, 1, 2, sender=owner)
    subscriptions.setIntakePaused(True, sender=owner)
    subscriptions.withdraw(sender=user)
    assert subscriptions.subscribedAddresses(user) == end
