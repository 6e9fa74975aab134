"""Frames of a batcher that may be broken or hostile."""

from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core import errors
from aligned.core.commitment import Commitments
from aligned.core.errors import ConflictError, DependencyError, PaymentError, ProofError, ProtocolError
from aligned.core.types import InclusionProof
from aligned.sdk.frames import (
    MAX_FRAME_BYTES,
    Accepted,
    Rejected,
    read_protocol_version,
    read_reply,
    read_terms,
)
from aligned.sdk.outstanding import Outstanding
from aligned.wire import batcher_replies as server

DIALECT = server.HelloDialect()
ABOUT = server.MessageRef(bytes(20), 7, bytes(32), "SP1", None)


def commitments(number: int) -> Commitments:
    return Commitments(bytes(32), bytes(32), bytes(32), bytes(20), number.to_bytes(32, "big"))


def accepted(number: int) -> Accepted:
    return Accepted(number.to_bytes(32, "big"), bytes(20), number, 0, 1, bytes(65))


def test_receipt__as_the_batcher_writes_it__read_back() -> None:
    receipt = server.Receipt(bytes(32), bytes(20), 7, 3, 99, bytes(65))
    assert read_reply(DIALECT.accepted(receipt)) == Accepted(bytes(32), bytes(20), 7, 3, 99, bytes(65))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errors.INSUFFICIENT_BALANCE, PaymentError),
        (errors.NONCE_USED, ConflictError),
        (errors.INVALID_PROOF, ProofError),
        (errors.INVALID_SIGNATURE, ProtocolError),
        ("a_code_of_next_year", ProtocolError),
    ],
)
def test_refusal__any_code__is_an_error_of_the_right_kind_with_its_nonce(
    code: str, kind: type[Exception]
) -> None:
    reply = read_reply(DIALECT.rejected(ProtocolError(code, "why", limit_bytes=5), ABOUT))
    assert isinstance(reply, Rejected)
    assert (type(reply.error), reply.error.code, reply.nonce) == (kind, code, 7)
    assert reply.error.context["limit_bytes"] == 5


def test_refusal__retryable__is_a_dependency_error() -> None:
    reply = read_reply(DIALECT.rejected(DependencyError(errors.SERVER_BUSY, "later"), server.MessageRef()))
    assert isinstance(reply, Rejected)
    assert isinstance(reply.error, DependencyError)
    assert reply.nonce is None


def test_news__status_and_inclusion__passed_over() -> None:
    status = DIALECT.status(ABOUT, "building")
    assert status is not None
    assert read_reply(status) is None
    place = server.Inclusion(
        bytes(32), bytes(20), 7, InclusionProof(bytes(32), bytes(1024), 1), bytes(20), 5, bytes(32)
    )
    assert read_reply(DIALECT.included(place)) is None


@given(st.binary(max_size=200))
def test_any_bytes__each_reader__value_or_protocol_error(frame: bytes) -> None:
    for read in (read_reply, read_terms, read_protocol_version):
        with contextlib.suppress(ProtocolError):
            read(frame)


@pytest.mark.parametrize(
    "frame",
    [
        cbor2.dumps({"Receipt": {"leaf": bytes(31)}}),
        cbor2.dumps({"Receipt": 5}),
        cbor2.dumps({"Rejected": {"code": 5, "message": "x"}}),
        cbor2.dumps({"Rejected": {"code": "x", "message": "x", "nonce": "many"}}),
        cbor2.dumps({"x": bytes(MAX_FRAME_BYTES)}),
        b"\x5b" + (1 << 30).to_bytes(8, "big"),
    ],
)
def test_hostile_frame__reply__refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_reply(frame)


def test_outstanding__answers_out_of_order__come_back_in_order() -> None:
    sent = Outstanding([commitments(number) for number in (5, 6, 7)], 5, 1)
    sent.accept(accepted(7))
    sent.reject(Rejected(5, ProofError(errors.INVALID_PROOF, "")))
    sent.fail_rest(DependencyError("connection_lost", ""))
    assert not sent.is_open
    assert [getattr(answer, "code", "receipt") for answer in sent.answers()] == [
        errors.INVALID_PROOF,
        "connection_lost",
        "receipt",
    ]


def test_outstanding__refusal_without_a_nonce__is_of_the_first_open_one() -> None:
    sent = Outstanding([commitments(5), commitments(6)], 5, 1)
    sent.accept(accepted(5))
    sent.reject(Rejected(None, ProtocolError(errors.MALFORMED_MESSAGE, "")))
    assert not sent.is_open


@pytest.mark.parametrize("wrong", [accepted(9), accepted(4)])
def test_outstanding__receipt_for_what_was_not_sent__refused(wrong: Accepted) -> None:
    sent = Outstanding([commitments(5)], 5, 1)
    with pytest.raises(ProtocolError):
        sent.accept(wrong)


def test_outstanding__second_receipt_for_a_nonce__refused() -> None:
    sent = Outstanding([commitments(5), commitments(6)], 5, 1)
    sent.accept(accepted(5))
    with pytest.raises(ProtocolError):
        sent.accept(accepted(5))


@pytest.mark.parametrize("name", ["self", "args", "kind"])
def test_refusal__entry_with_a_hostile_name__kept_as_context(name: str) -> None:
    reply = read_reply(cbor2.dumps({"Rejected": {"code": "x", "message": "y", name: 5}}))
    assert isinstance(reply, Rejected)
    assert reply.error.context == {name: 5}
