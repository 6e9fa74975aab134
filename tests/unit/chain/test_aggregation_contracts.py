"""The wrappers of aggregation mode against web3's codec: what they send, and what they make of answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_abi import encode
from web3 import Web3

from aligned.chain.contracts import AggregationPayments, PaymentTerms
from aligned.core.errors import ProtocolError
from tests.unit.chain.contract_answers import client, log, web3_calldata

USER, PAYER, ADDRESS = b"\x22" * 20, b"\x33" * 20, "0x" + "Ab" * 20
HEX_USER, HEX_PAYER = (Web3.to_checksum_address("0x" + raw.hex()) for raw in (USER, PAYER))
NO_CLIENT = client([])


@pytest.mark.parametrize(
    ("encoded", "fn", "args"),
    [
        (lambda c: c.encode_deposit(USER), "deposit(address)", (HEX_USER,)),
        (
            lambda c: c.encode_deposit_on_terms(USER, 4, 5),
            "deposit(address,uint256,uint256)",
            (HEX_USER, 4, 5),
        ),
        (lambda c: c.encode_withdraw(), "withdraw", ()),
        (lambda c: c.encode_grant([USER, PAYER], 6, 7), "grant", ([HEX_USER, HEX_PAYER], 6, 7)),
        (lambda c: c.encode_set_terms(PaymentTerms(1, 2, 3, 4)), "setTerms", (1, 2, 3, 4)),
    ],
)
def test_aggregation_payments__calldata__as_web3_encodes_it(
    encoded: Callable[[AggregationPayments], bytes], fn: str, args: tuple[object, ...]
) -> None:
    payments = AggregationPayments(NO_CLIENT, ADDRESS)
    assert encoded(payments) == web3_calldata("AggregationModePaymentService", fn, *args)


async def test_aggregation_payments__views__typed() -> None:
    payments = AggregationPayments(client(["uint256"], 7), ADDRESS)
    assert await payments.terms() == PaymentTerms(7, 7, 7, 7)
    assert await payments.expiry(USER, 5) == 7
    assert await AggregationPayments(client(["address"], USER), ADDRESS).funds_recipient() == USER
    assert await AggregationPayments(client(["bool"], True), ADDRESS).intake_paused()


def _topic(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def test_parse_user_payment__log__all_fields() -> None:
    payments = AggregationPayments(NO_CLIENT, ADDRESS)
    data = encode(["uint256"] * 4, [10**30, 2, 3, 4])
    payment = payments.parse_user_payment(
        log([payments.topic("UserPayment"), _topic(USER), _topic(PAYER)], data)
    )
    assert (payment.user, payment.payer, payment.amount_wei) == (USER, PAYER, 10**30)
    assert (payment.proofs, payment.valid_from, payment.valid_until) == (2, 3, 4)
    assert (payment.block_number, payment.log_index) == (5, 6)
    assert (payment.block_hash, payment.tx_hash) == (b"\x44" * 32, b"\x55" * 32)


def test_parse_quota_grant__log_of_a_payment__is_refused() -> None:
    payments = AggregationPayments(NO_CLIENT, ADDRESS)
    data = encode(["uint256"] * 3, [2, 3, 4])
    grant = payments.parse_quota_grant(log([payments.topic("QuotaGranted"), _topic(USER)], data))
    assert (grant.user, grant.proofs, grant.valid_from, grant.valid_until) == (USER, 2, 3, 4)
    assert (grant.block_number, grant.log_index) == (5, 6)
    with pytest.raises(ProtocolError, match="malformed_abi"):
        payments.parse_quota_grant(log([payments.topic("UserPayment"), _topic(USER)], data))
