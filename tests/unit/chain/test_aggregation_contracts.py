"""The wrappers of aggregation mode against web3's codec: what they send, and what they make of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from eth_abi import encode
from web3 import Web3

from aligned.chain.contracts import (
    AggregatedRoot,
    AggregationPayments,
    AggregationService,
    PaymentTerms,
    ProgramState,
    ProgramStatus,
)
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from tests.unit.chain.contract_answers import Answers, client, log, web3_calldata

USER, PAYER, ADDRESS = b"\x22" * 20, b"\x33" * 20, "0x" + "Ab" * 20
HEX_USER, HEX_PAYER = (Web3.to_checksum_address("0x" + raw.hex()) for raw in (USER, PAYER))
ROOT, PROGRAM = b"\x11" * 32, b"\x66" * 32
RECORD_TYPES = ["uint8", "uint32", "uint40", "uint40", "bytes32", "uint8", "bool"]
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


@pytest.mark.parametrize(
    ("encoded", "fn", "args"),
    [
        (
            lambda c: c.encode_verify(AggregationSystem.SP1, PROGRAM, b"values", b"proof", b"openings"),
            "verifySP1",
            (PROGRAM, b"values", b"proof", b"openings"),
        ),
        (
            lambda c: c.encode_verify(AggregationSystem.RISC0, PROGRAM, b"journal", b"seal", b"openings"),
            "verifyRisc0",
            (PROGRAM, b"seal", b"journal", b"openings"),
        ),
        (lambda c: c.encode_revoke_roots([ROOT]), "revokeRoots", ([ROOT],)),
        (lambda c: c.encode_revoke_roots_of(PROGRAM, [ROOT]), "revokeRootsOf", (PROGRAM, [ROOT])),
    ],
)
def test_aggregation_service__calldata__as_web3_encodes_it(
    encoded: Callable[[AggregationService], bytes], fn: str, args: tuple[object, ...]
) -> None:
    service = AggregationService(NO_CLIENT, ADDRESS)
    assert encoded(service) == web3_calldata("AlignedProofAggregationService", fn, *args)


async def test_aggregation_service__record_of_a_root__typed_and_none_if_unknown() -> None:
    service = AggregationService(client(RECORD_TYPES, 2, 5, 6, 7, PROGRAM, 1, True), ADDRESS)
    assert await service.aggregated_root(ROOT) == AggregatedRoot(
        AggregationSystem.RISC0, 5, 6, 7, PROGRAM, 1, True
    )
    unknown = AggregationService(client(RECORD_TYPES, 0, 0, 0, 0, bytes(32), 0, False), ADDRESS)
    assert await unknown.aggregated_root(ROOT) is None


async def test_aggregation_service__programs__typed() -> None:
    types = ["uint8", "uint8", "address"]
    known = AggregationService(client(types, 1, 3, USER), ADDRESS)
    assert await known.program(PROGRAM) == ProgramState(AggregationSystem.SP1, ProgramStatus.REVOKED, USER)
    unknown = AggregationService(client(types, 0, 0, bytes(20)), ADDRESS)
    assert await unknown.program(PROGRAM) == ProgramState(None, ProgramStatus.UNKNOWN, bytes(20))
    listing = AggregationService(client(["bytes32[]"], [PROGRAM, ROOT]), ADDRESS)
    assert await listing.program_ids() == [PROGRAM, ROOT]


async def test_aggregation_service__inclusion__system_as_its_number() -> None:
    answers = client(["bool"], True)
    service = AggregationService(answers, ADDRESS)
    args = (ROOT, AggregationSystem.RISC0, PROGRAM, b"journal", 3, b"")
    assert await service.verify_proof_inclusion(*args, block=9)
    assert await service.verify_leaf_inclusion(ROOT, AggregationSystem.SP1, PROGRAM, 3, b"")
    assert await service.verification_paused()
    assert cast("Answers", answers).asked == [
        ("verifyProofInclusion", (ROOT, 2, PROGRAM, b"journal", 3, b""), 9),
        ("verifyLeafInclusion", (ROOT, 1, PROGRAM, 3, b""), "latest"),
        ("verificationPaused", (), "latest"),
    ]


def test_parse_aggregated_proof__log__all_fields() -> None:
    service = AggregationService(NO_CLIENT, ADDRESS)
    topics = [service.topic("AggregatedProofVerified"), ROOT, b"\x02".rjust(32, b"\0"), PROGRAM]
    data = encode(["uint32", "bytes32[]"], [9, [ROOT, PROGRAM]])
    found = service.parse_aggregated_proof(log(topics, data))
    assert (found.root, found.system, found.program_id) == (ROOT, AggregationSystem.RISC0, PROGRAM)
    assert (found.leaf_count, found.versioned_hashes) == (9, (ROOT, PROGRAM))
    assert (found.block_number, found.log_index) == (5, 6)
    assert (found.block_hash, found.tx_hash) == (b"\x44" * 32, b"\x55" * 32)
