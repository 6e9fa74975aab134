"""Messages of the gateway's HTTP API: the form that clients post, and the JSON that they get back.

Byte values are `0x` and hex of the exact length. Unknown fields of answers are ignored, so that a client outlives the
next release of the server.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.wire.aggregator import Address, Hash, hex_of

# Codes of refusals that clients act on, beside the verdict codes of core.errors.
BAD_SIGNATURE: Final = "bad_signature"
EXPIRED_DEADLINE: Final = "expired_deadline"
PAYMENT_REQUIRED: Final = "payment_required"
PARTS_OUT_OF_ORDER: Final = "parts_out_of_order"
QUOTA_EXHAUSTED: Final = "quota_exhausted"
NONCE_GAP: Final = "nonce_gap"
UNSUPPORTED_MEDIA_TYPE: Final = "unsupported_media_type"
UNSUPPORTED_PROOF_KIND: Final = "unsupported_proof_kind"
UNKNOWN_PROOF: Final = "unknown_proof"
UNKNOWN_AGGREGATION: Final = "unknown_aggregation"
LEAVES_NOT_READY: Final = "leaves_not_ready"

# Parts of the form of POST /v1/proofs. The texts come before the files, so that what was signed, and who pays for it,
# is known before a file is taken; the hashes are keccak-256 of the files, as they were signed.
TEXT_PARTS: Final = (
    "system", "nonce", "deadline", "signature", "proof_hash", "key_hash", "public_input_hash", "address",
)  # fmt: skip
FILE_PARTS: Final = ("key", "public_inputs", "proof")

ProofState = Literal["verifying", "pending", "unpaid", "proving", "submitted", "mined", "final", "rejected"]
PROOF_STATES: Final = frozenset(get_args(ProofState))
# How far a proof is; `unpaid` is as far as `pending`. A rejected one goes nowhere.
_PROGRESS: Final = {
    "verifying": 0, "unpaid": 1, "pending": 1, "proving": 2, "submitted": 3, "mined": 4, "final": 5,
}  # fmt: skip
_ENDS: Final = frozenset({"final", "rejected"})
_CURSOR = re.compile(r"[0-9]{1,19}\Z")
_MAX_CURSOR_CHARS = 40
# Row numbers, nonces and deadlines are 64-bit integers of the database.
MAX_NUMBER: Final = 2**63 - 1


def _from_hex(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and re.fullmatch(r"0x(?:[0-9a-fA-F]{2})*", value):
        return bytes.fromhex(value[2:])
    raise ValueError("expected 0x and pairs of hex digits")


Bytes = Annotated[bytes, BeforeValidator(_from_hex), PlainSerializer(hex_of, return_type=str)]
System = Literal["sp1", "risc0"]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Rejection(Answer):
    """Why a proof was rejected: a stable code, and words."""

    code: str
    reason: str


class StateChange(Answer):
    """One line of a history."""

    state: str
    at: datetime
    detail: str


class AggregationPlace(Answer):
    """The aggregation that a proof is in, and where in it.

    Attributes:
        level: how much is proved: native, execute, compressed, composite, succinct, groth16.
        not_proved: what this level leaves to trust, in words; empty when nothing.
        leaf_index: position of the leaf; None until the aggregation is sent to the chain, like `path`.
        path: siblings, leaf level first.
        versioned_hashes: the blobs that hold all commitments.
        program_id: the program that aggregated.
    """

    id: int
    level: str
    not_proved: str
    state: str
    root: Hash
    leaf_index: int | None
    leaf_count: int
    path: tuple[Hash, ...] | None
    tx_hash: Hash | None
    block_number: int | None
    block_hash: Hash | None
    versioned_hashes: tuple[Hash, ...]
    program_id: Hash


class Receipt(Answer):
    """What is known of a proof.

    Attributes:
        address, nonce: of the submitter; None for a proof that came with a fast-mode batch.
        program_id: bytes32 form of the SP1 key's hash, or the RISC0 image id.
        commitment: keccak(public inputs ‖ program id).
    """

    id: UUID
    address: Address | None
    system: System
    program_id: Hash
    nonce: int | None
    state: ProofState
    commitment: Hash
    leaf: Hash
    proof_hash: Hash
    received_at: datetime
    reject: Rejection | None
    history: tuple[StateChange, ...]
    aggregation: AggregationPlace | None


class ReceiptPage(Answer):
    """Receipts, newest first; `next` is the cursor of the following page."""

    receipts: tuple[Receipt, ...]
    next: str | None


class NonceAnswer(Answer):
    """The nonce that the next submission of `address` must have."""

    address: Address
    nonce: int = Field(ge=0, le=MAX_NUMBER)


class QuotaRow(Answer):
    """One payment or grant: `proofs` proofs in [valid_from_s, valid_until_s), Unix seconds."""

    proofs: int
    used: int
    valid_from_s: int
    valid_until_s: int


class QuotaAnswer(Answer):
    """What an address may still submit.

    Attributes:
        remaining: proofs that may be submitted now.
        rows: payments that have not ended, the one that ends first first (100 at most).
        expires_s: when the last of them ends; 0 without any.
    """

    address: Address
    remaining: int
    rows: tuple[QuotaRow, ...]
    expires_s: int


class BlobRef(Answer):
    """A blob of an aggregation."""

    versioned_hash: Hash
    kzg_commitment: Bytes


class Aggregation(Answer):
    """One root. `history` is there when a single aggregation is asked for."""

    id: int
    system: System
    level: str
    not_proved: str
    state: str
    root: Hash
    leaf_count: int
    program_id: Hash
    cycles: int | None
    tx_hash: Hash | None
    block_number: int | None
    block_hash: Hash | None
    created_at: datetime
    updated_at: datetime
    blobs: tuple[BlobRef, ...]
    history: tuple[StateChange, ...] = ()


class AggregationPage(Answer):
    """Aggregations on chain, newest first; `next` is the cursor of the following page."""

    aggregations: tuple[Aggregation, ...]
    next: str | None


class Leaves(Answer):
    """All commitments under a root, in leaf order."""

    system: System
    root: Hash
    leaf_count: int
    commitments: tuple[Hash, ...]


class Limits(Answer):
    """What the gateway takes."""

    max_proof_bytes: int
    max_public_input_bytes: int


class Price(Answer):
    """What one payment costs and buys. The amount is a decimal text: JSON numbers end at 2^53 for many readers."""

    price_wei: str
    proofs: int
    period_s: int


class Status(Answer):
    """What this gateway serves. `price` is None while the chain does not answer."""

    chain_id: int
    payment_service: Address
    aggregation_service: Address | None
    systems: tuple[System, ...]
    program_ids: dict[str, dict[str, str]]
    limits: Limits
    price: Price | None


def has_reached(state: str, until: str) -> bool:
    """Whether a proof in `state` is at least as far as `until`, or will go no further."""
    return state in _ENDS or _PROGRESS[state] >= _PROGRESS[until]


def encode_cursor(number: int) -> str:
    """An opaque cursor: the page that follows the row with this number."""
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> int:
    """The row number in a cursor of ours.

    Raises:
        ProtocolError: malformed_message.
    """
    number = _cursor_number(text)
    # Base64 has several spellings of the same bytes; ours is one of them.
    if number is None or encode_cursor(number) != text:
        raise ProtocolError(MALFORMED_MESSAGE, "cursor: not one of ours")
    return number


def _cursor_number(text: str) -> int | None:
    if len(text) > _MAX_CURSOR_CHARS:
        return None
    try:
        digits = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        return None
    return int(digits) if _CURSOR.match(digits) and int(digits) <= MAX_NUMBER else None
