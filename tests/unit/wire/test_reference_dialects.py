"""What the reference's clients are told about refused and dropped proofs."""

from __future__ import annotations

import cbor2
import pytest

from aligned.core.errors import (
    AlignedError,
    ConflictError,
    DependencyError,
    PaymentError,
    ProofError,
    ProtocolError,
)
from aligned.core.types import InclusionProof
from aligned.wire.batcher_replies import Inclusion
from aligned.wire.reference_replies import LaterDialect, ReferenceDialect
from tests.unit.wire.test_batcher_messages import ABOUT


@pytest.mark.parametrize(
    ("error", "frame"),
    [
        (PaymentError("fee_too_low", "x"), "UnderpricedProof"),
        (ConflictError("underpriced_replacement", "x"), "UnderpricedProof"),
        (DependencyError("queue_full", "x"), "UnderpricedProof"),
        (PaymentError("funds_unlocked", "x"), "UserFundsUnlocked"),
        (DependencyError("server_busy", "x"), "ServerBusy"),
        (ConflictError("nonce_used", "x"), "InvalidNonce"),
        (ProofError("invalid_proof", "x"), {"InvalidProof": "RejectedProof"}),
        (ProtocolError("malformed_message", "x"), {"Error": "malformed_message: x"}),
    ],
    ids=lambda value: value.code if isinstance(value, AlignedError) else "",
)
def test_later_dialect__error__frame_of_those_releases(error: AlignedError, frame: object) -> None:
    assert cbor2.loads(LaterDialect().rejected(error, ABOUT)) == frame


@pytest.mark.parametrize(
    ("code", "frame"),
    [
        ("proof_replaced", "ProofReplaced"),
        ("outbid", "UnderpricedProof"),
        ("fee_too_low", "UnderpricedProof"),
        ("deadline_passed", "BatchReset"),
        ("batch_expired", "BatchReset"),
        ("not_payable", "BatchReset"),
    ],
)
def test_later_dialect__dropped__frame_that_ends_its_run(code: str, frame: str) -> None:
    assert cbor2.loads(LaterDialect().dropped(ConflictError(code, "x"), ABOUT)) == frame


def test_reference_dialect__dropped__reset_first_but_text_once_it_has_inclusion_data() -> None:
    proof = InclusionProof(b"\x01" * 32, b"", 0)
    inclusion = Inclusion(b"\x22" * 32, b"\x11" * 20, 5, proof, b"\x33" * 20, 9, b"\x44" * 32)
    gone = ConflictError("proof_replaced", "another proof took nonce 5")
    first = ReferenceDialect()
    assert cbor2.loads(first.dropped(gone, ABOUT)) == "BatchReset"
    assert first.is_over
    later = ReferenceDialect()
    assert "BatchInclusionData" in cbor2.loads(later.included(inclusion))
    assert "nonce 5 will be in no batch" in cbor2.loads(later.dropped(gone, ABOUT))["Error"]
    assert "0x" + "01" * 32 in cbor2.loads(later.included(inclusion))["Error"]
    assert not later.is_over
