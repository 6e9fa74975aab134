"""The batcher's WebSocket protocol: what it answers, in the dialect of the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from aligned.core import errors
from aligned.core.errors import AlignedError
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
    """How one kind of client wants to be answered. Every method returns one frame, or None for silence.

    Attributes:
        wants_outcome: whether it wants to hear more after the inclusion data.
    """

    wants_outcome: bool

    def accepted(self, receipt: Receipt) -> bytes:
        """The proof is in the queue."""

    def rejected(self, error: AlignedError, about: MessageRef) -> bytes:
        """The message was refused."""

    def included(self, inclusion: Inclusion) -> bytes:
        """The proof is in a batch on chain."""

    def dropped(self, error: AlignedError, about: MessageRef) -> bytes:
        """A proof accepted earlier will not be in any batch."""

    def status(self, about: MessageRef, state: str) -> bytes | None:
        """An accepted proof changed its state."""


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
                "max_message_bytes": limits.max_message_bytes,
                "max_outstanding": limits.max_outstanding,
                "min_max_fee": to_hex(limits.min_max_fee_wei),
            }
        }
    )


# What the v0.10 client can read in the place of a validity reply.
_REFERENCE_TEXTS: Final = {
    errors.INVALID_SIGNATURE: "InvalidSignature",
    errors.INVALID_CHAIN_ID: "InvalidChainId",
    errors.PROOF_TOO_LARGE: "ProofTooLarge",
    errors.NONCE_TOO_HIGH: "InvalidNonce",
    errors.NONCE_USED: "InvalidNonce",
    errors.FEE_TOO_LOW: "InvalidMaxFee",
    errors.UNDERPRICED_REPLACEMENT: "InvalidReplacementMessage",
    errors.QUEUE_FULL: "AddToBatchError",
    errors.SERVER_BUSY: "AddToBatchError",
    errors.CHAIN_UNAVAILABLE: "EthRpcError",
}
_UNSUPPORTED: Final = (errors.UNKNOWN_PROVING_SYSTEM, errors.UNSUPPORTED_SYSTEM)
_PAYMENT: Final = (errors.INSUFFICIENT_BALANCE, errors.FUNDS_UNLOCKED)


class ReferenceDialect:
    """The frames of the reference's v0.10.0 release. Its client knows no other texts in these places."""

    wants_outcome = False

    def accepted(self, receipt: Receipt) -> bytes:  # noqa: ARG002 - its client knows no receipts
        """`"Valid"`."""
        return encode("Valid")

    def rejected(self, error: AlignedError, about: MessageRef) -> bytes:
        """The validity reply closest to the error."""
        if text := _REFERENCE_TEXTS.get(error.code):
            return encode(text)
        if error.code in _PAYMENT and about.sender is not None:
            return encode({"InsufficientBalance": to_hex(about.sender)})
        if error.code == errors.INVALID_PAYMENT_SERVICE and about.payment_service is not None:
            addresses = [to_hex(about.payment_service), error.context["expected"]]
            return encode({"InvalidPaymentServiceAddress": addresses})
        if isinstance(error, errors.ProofError) or error.code == errors.UNKNOWN_PROVING_SYSTEM:
            return encode({"InvalidProof": _invalid_proof_reason(error, about)})
        return encode({"Error": str(error)})

    def included(self, inclusion: Inclusion) -> bytes:
        """`BatchInclusionData` with arrays of integers."""
        proof = inclusion.proof
        return encode(
            {
                "BatchInclusionData": {
                    "batch_merkle_root": list(proof.batch_root),
                    "batch_inclusion_proof": {"merkle_path": [list(node) for node in path_nodes(proof.path)]},
                    "index_in_batch": proof.index,
                }
            }
        )

    def dropped(self, error: AlignedError, about: MessageRef) -> bytes:  # noqa: ARG002 - it has no place for that
        """`Error`: the release has no frame for a proof that was replaced or could not be paid."""
        return encode({"Error": str(error)})

    def status(self, about: MessageRef, state: str) -> bytes | None:  # noqa: ARG002 - as above
        """Nothing: its client takes no status."""
        return None


class HelloDialect:
    """The extended frames: everything names its submission, blobs are byte strings."""

    wants_outcome = True

    def accepted(self, receipt: Receipt) -> bytes:
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


def _invalid_proof_reason(error: AlignedError, about: MessageRef) -> str | dict[str, str | None]:
    if error.code == errors.VERIFIER_DISABLED:
        return {"DisabledVerifier": about.system_name}
    return "VerifierNotSupported" if error.code in _UNSUPPORTED else "RejectedProof"


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
