"""The batcher's WebSocket protocol: what it answers, in the dialect of the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from aligned.core.errors import AlignedError
from aligned.core.sizes import MAX_SIZE_BYTES, max_size_bytes
from aligned.core.types import HASH_BYTES, InclusionProof
from aligned.wire.batcher import PROTOCOL_VERSION
from aligned.wire.cbor import encode
from aligned.wire.fields import to_hex


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a client that says hello learns about the server."""

    chain_id: int
    payment_service: bytes
    batcher_address: bytes
    max_proof_bytes: int
    max_message_bytes: int
    max_outstanding: int
    min_max_fee_wei: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The batcher's signed promise for an accepted proof.

    Attributes:
        position: how many queued proofs are before it, 0 for the next one.
        deadline_s: Unix time by which it is on chain, or the batcher has broken its word.
        signature: 65 bytes over `core.eip712.receipt_digest`.
    """

    leaf: bytes
    sender: bytes
    nonce: int
    position: int
    deadline_s: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where an accepted proof is: the batch is on chain, not verified yet."""

    leaf: bytes
    sender: bytes
    nonce: int
    proof: InclusionProof
    sender_address: bytes
    task_block: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Which submission a reply is about, as far as it was understood."""

    sender: bytes | None = None
    nonce: int | None = None
    leaf: bytes | None = None
    system_name: str | None = None
    payment_service: bytes | None = None


class Dialect(Protocol):
    """How one connection of one kind of client wants to be answered. Methods return one frame, or None for silence.

    Attributes:
        is_pipelined: whether it sends messages without waiting for the answers to those before.
        matches_by_order: whether it needs news about its proofs in the order of their nonces.
        silence_s: for how long it must have been silent before it can take news for what they are.
        wants_outcome: whether it wants to hear more after the inclusion data.
        is_over: whether it cannot understand anything that would come now.
    """

    is_pipelined: bool
    matches_by_order: bool
    silence_s: float
    wants_outcome: bool
    is_over: bool

    def accepted(self, receipt: Receipt) -> bytes | None:
        """The proof is in the queue."""

    def rejected(self, error: AlignedError, about: MessageRef) -> bytes:
        """The message was refused."""

    def included(self, inclusion: Inclusion) -> bytes:
        """The proof is in a batch on chain."""

    def dropped(self, error: AlignedError, about: MessageRef) -> bytes:
        """A proof accepted earlier will not be in any batch."""

    def status(self, about: MessageRef, state: str) -> bytes | None:
        """An accepted proof changed its state."""

    def too_many(self, limit: int) -> bytes | None:
        """More than `limit` messages are unanswered: the next ones are read as these are answered."""


def encode_protocol_version() -> bytes:
    """First frame of the server."""
    return encode({"ProtocolVersion": PROTOCOL_VERSION})


def encode_hello_ack(limits: ServerLimits) -> bytes:
    """Answer to a hello."""
    return encode(
        {
            "HelloAck": {
                "chain_id": limits.chain_id,
                "payment_service": to_hex(limits.payment_service),
                "batcher_address": to_hex(limits.batcher_address),
                "max_proof_bytes": limits.max_proof_bytes,
                "max_bytes_of": {
                    system.wire_name: max_size_bytes(system, limits.max_proof_bytes)
                    for system in MAX_SIZE_BYTES
                },
                "max_message_bytes": limits.max_message_bytes,
                "max_outstanding": limits.max_outstanding,
                "min_max_fee": to_hex(limits.min_max_fee_wei),
            }
        }
    )


class HelloDialect:
    """The extended frames: everything names its submission, blobs are byte strings."""

    is_pipelined = True
    matches_by_order = False
    silence_s = 0.0
    wants_outcome = True
    is_over = False

    def accepted(self, receipt: Receipt) -> bytes | None:
        """`Receipt`."""
        about = MessageRef(receipt.sender, receipt.nonce, receipt.leaf)
        terms = {"position": receipt.position, "deadline": receipt.deadline_s, "signature": receipt.signature}
        return encode({"Receipt": _ref(about) | terms})

    def rejected(self, error: AlignedError, about: MessageRef) -> bytes:
        """`Rejected` with code, message and the values that help to act on it."""
        context = {name: _plain(value) for name, value in error.context.items()}
        reason = {"code": error.code, "message": error.message, "retryable": error.retryable}
        return encode({"Rejected": context | _ref(about) | reason})

    def included(self, inclusion: Inclusion) -> bytes:
        """`BatchInclusionData` with where the batch is."""
        proof = inclusion.proof
        return encode(
            {
                "BatchInclusionData": _ref(MessageRef(inclusion.sender, inclusion.nonce, inclusion.leaf))
                | {
                    "batch_merkle_root": proof.batch_root,
                    "batch_inclusion_proof": {"merkle_path": path_nodes(proof.path)},
                    "index_in_batch": proof.index,
                    "sender_address": to_hex(inclusion.sender_address),
                    "task_block": inclusion.task_block,
                    "tx_hash": inclusion.tx_hash,
                }
            }
        )

    def dropped(self, error: AlignedError, about: MessageRef) -> bytes:
        """`Dropped`, otherwise as `Rejected`."""
        return encode({"Dropped": _ref(about) | {"code": error.code, "message": error.message}})

    def status(self, about: MessageRef, state: str) -> bytes | None:
        """`Status`."""
        return encode({"Status": _ref(about) | {"state": state}})

    def too_many(self, limit: int) -> bytes | None:
        """`Notice`."""
        text = (
            f"at most {limit} unanswered messages; more are read as answers go out, send no faster than that"
        )
        return encode({"Notice": {"code": "too_many_unanswered", "message": text, "max_outstanding": limit}})


def path_nodes(path: bytes) -> list[bytes]:
    """The 32-byte siblings of a concatenated path."""
    return [path[i : i + HASH_BYTES] for i in range(0, len(path), HASH_BYTES)]


def _ref(about: MessageRef) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    if about.sender is not None:
        entries["sender"] = to_hex(about.sender)
    if about.nonce is not None:
        entries["nonce"] = about.nonce if about.nonce < 1 << 64 else to_hex(about.nonce)
    if about.leaf is not None:
        entries["leaf"] = about.leaf
    return entries


def _plain(value: object) -> object:
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return hex(value)
    return value if isinstance(value, str | int | bytes) else str(value)
