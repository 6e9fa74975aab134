"""The batcher's WebSocket protocol: what clients send.

Protocol version 4. Every binary frame is one CBOR value. Three kinds of client share the socket:

* the reference's v0.10 client sends one submission map per frame and reads one validity reply each;
* the reference's later clients send `{"SubmitProof": …}`, `{"GetNonceForAddress": …}` or `{"GetLastMaxFee": …}`, and
  hear nothing about a proof until it is in a batch or refused;
* a client that first sends `{"Hello": {"version": 1, "client": NAME}}` gets receipts, reasons and status updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from aligned.core.types import VerificationData
from aligned.wire import fields, verification_data
from aligned.wire.cbor import Fields, Limits, decode, encode, malformed

PROTOCOL_VERSION = 4
HELLO_VERSION = 1
# Message around the blobs: names, numbers, signature.
ENVELOPE_BYTES = 4096
_MAX_CLIENT_NAME = 64
_MAX_VALUES = 64
# A later client's submission is one map deeper.
_MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Hello:
    """Asks for the extended replies."""

    version: int
    client: str


@dataclass(frozen=True, slots=True)
class Signature:
    """ECDSA signature of a submission; v is 27 or 28."""

    r: int
    s: int
    v: int


@dataclass(frozen=True, slots=True)
class Submission:
    """A proof with the terms under which its sender wants it in a batch.

    Attributes:
        max_fee_wei: most that the sender pays for it.
        payment_service: 20 bytes; with `chain_id` the domain of the signature.
        sender: who claims to have signed (extension), so that a bad signature is told from an unknown payer.
    """

    data: VerificationData
    nonce: int
    max_fee_wei: int
    chain_id: int
    payment_service: bytes
    signature: Signature
    sender: bytes | None = None


@dataclass(frozen=True, slots=True)
class SubmitProof:
    """A submission of a later client of the reference."""

    submission: Submission


class Topic(Enum):
    """What the reference's later clients ask about an address, by the name of the message."""

    NONCE = "GetNonceForAddress"
    LAST_MAX_FEE = "GetLastMaxFee"


@dataclass(frozen=True, slots=True)
class Question:
    """Asks about the proofs of an address (20 bytes)."""

    topic: Topic
    address: bytes


ClientMessage: TypeAlias = Hello | Submission | SubmitProof | Question
_SUBMIT_PROOF = "SubmitProof"


def max_message_bytes(max_proof_bytes: int) -> int:
    """Longest frame: blobs of `max_proof_bytes` in total, as arrays of integers, and the rest of the message."""
    return 2 * max_proof_bytes + ENVELOPE_BYTES


def decode_client_message(frame: bytes, max_bytes: int) -> ClientMessage:
    """What a client sent.

    Raises:
        ProtocolError: malformed_message, unknown_proving_system.
    """
    value = decode(frame, Limits(max_bytes, max_depth=_MAX_DEPTH, max_items=_MAX_VALUES))
    if not isinstance(value, dict):
        raise malformed(f"a message is a map, got {type(value).__name__}")
    if "Hello" in value:
        return _parse_hello(value)
    if _SUBMIT_PROOF in value:
        message = Fields(value, "message")
        submission = SubmitProof(_parse_submission(message.take(_SUBMIT_PROOF, fields.mapping)))
        message.done()
        return submission
    topic = next((topic for topic in Topic if topic.value in value), None)
    return _parse_submission(value) if topic is None else _parse_question(value, topic)


def encode_hello(hello: Hello) -> bytes:
    """First frame of a client that wants the extended replies."""
    return encode({"Hello": {"version": hello.version, "client": hello.client}})


def encode_submission(submission: Submission) -> bytes:
    """A submission, blobs as byte strings."""
    nonced = {
        "verification_data": verification_data.to_map(submission.data),
        "nonce": fields.to_hex(submission.nonce),
        "max_fee": fields.to_hex(submission.max_fee_wei),
        "chain_id": fields.to_hex(submission.chain_id),
        "payment_service_addr": fields.to_hex(submission.payment_service),
    }
    signature = submission.signature
    entries: dict[str, Any] = {
        "verification_data": nonced,
        "signature": {"r": fields.to_hex(signature.r), "s": fields.to_hex(signature.s), "v": signature.v},
    }
    if submission.sender is not None:
        entries["sender"] = fields.to_hex(submission.sender)
    return encode(entries)


def _parse_hello(value: Any) -> Hello:
    message = Fields(value, "message")
    hello = Fields(message.take("Hello", fields.mapping), "Hello")
    parsed = Hello(hello.take("version", fields.uint), hello.take("client", fields.text))
    hello.done()
    message.done()
    if len(parsed.client) > _MAX_CLIENT_NAME:
        raise malformed(f"Hello.client has at most {_MAX_CLIENT_NAME} characters")
    return parsed


def _parse_question(value: dict[str, Any], topic: Topic) -> Question:
    message = Fields(value, "message")
    question = Question(topic, message.take(topic.value, fields.address))
    message.done()
    return question


def _parse_submission(value: Any) -> Submission:
    message = Fields(value, "message")
    nonced = Fields(message.take("verification_data", fields.mapping), "message.verification_data")
    submission = Submission(
        verification_data.parse(nonced.take("verification_data", fields.mapping)),
        nonce=nonced.take("nonce", fields.u256),
        max_fee_wei=nonced.take("max_fee", fields.u256),
        chain_id=nonced.take("chain_id", fields.u256),
        payment_service=nonced.take("payment_service_addr", fields.address),
        signature=_parse_signature(message.take("signature", fields.mapping)),
        sender=message.optional("sender", fields.address),
    )
    nonced.done()
    message.done()
    return submission


def _parse_signature(value: dict[str, Any]) -> Signature:
    signature = Fields(value, "signature")
    parsed = Signature(
        signature.take("r", fields.u256), signature.take("s", fields.u256), signature.take("v", fields.uint)
    )
    signature.done()
    return parsed
