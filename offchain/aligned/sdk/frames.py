"""What the batcher answers to a client that said hello, decoded within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aligned.core import errors
from aligned.core.errors import (
    MALFORMED_MESSAGE,
    AlignedError,
    ConflictError,
    DependencyError,
    PaymentError,
    ProofError,
    ProtocolError,
)
from aligned.wire import fields
from aligned.wire.cbor import Fields, Limits, decode

MAX_FRAME_BYTES = 1 << 16
_LIMITS = Limits(MAX_FRAME_BYTES, max_depth=6, max_items=256)

_CLASSES: dict[str, type[AlignedError]] = {
    errors.INSUFFICIENT_BALANCE: PaymentError,
    errors.FUNDS_UNLOCKED: PaymentError,
    errors.FEE_TOO_LOW: PaymentError,
    errors.OUTBID: PaymentError,
    errors.UNDERPRICED_REPLACEMENT: PaymentError,
    errors.NONCE_USED: ConflictError,
    errors.NONCE_TOO_HIGH: ConflictError,
    errors.VERIFIER_DISABLED: ProofError,
    errors.EMPTY_PROOF: ProofError,
    errors.MALFORMED_PROOF: ProofError,
    errors.MALFORMED_KEY: ProofError,
    errors.MALFORMED_PUBLIC_INPUT: ProofError,
    errors.MISSING_KEY: ProofError,
    errors.MISSING_PUBLIC_INPUT: ProofError,
    errors.KEY_IS_ELF: ProofError,
    errors.TOO_MANY_PUBLIC_INPUTS: ProofError,
    errors.UNSUPPORTED_VERSION: ProofError,
    errors.FAKE_RECEIPT: ProofError,
    errors.DEV_MODE_SET: ProofError,
    errors.PUBLIC_INPUT_MISMATCH: ProofError,
    errors.KEY_MISMATCH: ProofError,
    errors.INVALID_PROOF: ProofError,
    errors.VERIFIER_TIMEOUT: ProofError,
    errors.VERIFIER_CRASHED: ProofError,
}


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """The batcher's answer to hello, as far as a client needs it."""

    chain_id: int
    payment_service: bytes
    max_proof_bytes: int
    min_max_fee_wei: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A receipt before its signature is checked."""

    leaf: bytes
    sender: bytes
    nonce: int
    position: int | None
    deadline_s: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refusal; `nonce` is None when the batcher did not understand that much of the message."""

    nonce: int | None
    error: AlignedError


Reply = Accepted | Rejected


def read_protocol_version(frame: bytes) -> int:
    """The server's first frame."""
    message = Fields(decode(frame, _LIMITS), "first frame")
    return message.take("ProtocolVersion", fields.uint)


def read_terms(frame: bytes) -> ServerTerms:
    """The answer to hello."""
    ack = Fields(Fields(decode(frame, _LIMITS), "message").take("HelloAck", fields.mapping), "HelloAck")
    return ServerTerms(
        chain_id=ack.take("chain_id", fields.uint),
        payment_service=ack.take("payment_service", fields.address),
        max_proof_bytes=ack.take("max_proof_bytes", fields.uint),
        min_max_fee_wei=ack.take("min_max_fee", fields.u256),
    )


def read_reply(frame: bytes) -> Reply | None:
    """Receipt or refusal; None for news about other submissions, which `wait` gets over HTTP.

    Raises:
        ProtocolError: malformed_message.
    """
    message = decode(frame, _LIMITS)
    if not isinstance(message, dict):
        raise ProtocolError(MALFORMED_MESSAGE, f"batcher sent no map, but {type(message).__name__}")
    if "Receipt" in message:
        return _accepted(Fields(message["Receipt"], "Receipt"))
    if "Rejected" in message:
        return _rejected(message["Rejected"])
    return None


def _accepted(entries: Fields) -> Accepted:
    return Accepted(
        leaf=entries.take("leaf", fields.hash32),
        sender=entries.take("sender", fields.address),
        nonce=entries.take("nonce", _integer),
        position=entries.take("position", fields.uint),
        deadline_s=entries.take("deadline", fields.uint),
        signature=entries.take("signature", fields.blob),
    )


def _rejected(value: Any) -> Rejected:
    entries = Fields(value, "Rejected")
    code, message = entries.take("code", fields.text), entries.take("message", fields.text)
    is_retryable = value.get("retryable") is True
    kind = DependencyError if is_retryable else _CLASSES.get(code, ProtocolError)
    known = ("code", "message", "retryable", "leaf", "nonce")
    context = {name: entry for name, entry in value.items() if name not in known}
    return Rejected(entries.optional("nonce", _integer), kind(code, message, **context))


def _integer(value: Any) -> int | None:
    return fields.uint(value) if isinstance(value, int) else fields.u256(value)
