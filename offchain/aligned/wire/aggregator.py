"""Messages of the aggregator's HTTP API (JSON): what operators post and the aggregator reads.

Byte values are `0x` and hex of the exact length; anything else, and any unknown field, is an error.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from aligned.core import errors
from aligned.core.bls import G1_BYTES
from aligned.core.types import ADDRESS_BYTES, HASH_BYTES

MAX_UINT32: Final = 2**32 - 1
# Leaf index of a refusal that concerns the whole batch; its leaf is zero.
WHOLE_BATCH: Final = MAX_UINT32
ZERO_LEAF: Final = bytes(HASH_BYTES)

# Codes of the aggregator's answers that operators act on.
UNKNOWN_TASK: Final = "unknown_task"
UNKNOWN_OPERATOR: Final = "unknown_operator"
WRONG_TASK_BLOCK: Final = "wrong_task_block"
TASK_CLOSED: Final = "task_closed"
CONFLICTING_VOTE: Final = "conflicting_vote"
RATE_LIMITED: Final = errors.RATE_LIMITED
BODY_TOO_LARGE: Final = "body_too_large"

# Reasons of refusals that concern the batch, beside the verdict codes of single proofs (core.errors).
ROOT_MISMATCH: Final = "root_mismatch"
UNDECODABLE_BATCH: Final = "undecodable_batch"
BATCH_TOO_LARGE: Final = "batch_too_large"
DATA_UNAVAILABLE: Final = "data_unavailable"

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def _decoder(length: int) -> BeforeValidator:
    def decode(value: object) -> bytes:
        if isinstance(value, bytes) and len(value) == length:
            return value
        if isinstance(value, str) and len(value) == 2 + 2 * length and _HEX.fullmatch(value):
            return bytes.fromhex(value[2:])
        raise ValueError(f"expected 0x and {2 * length} hex digits")

    return BeforeValidator(decode)


def hex_of(value: bytes) -> str:
    """0x and lower-case hex."""
    return "0x" + value.hex()


_AS_HEX = PlainSerializer(hex_of, return_type=str)
Hash = Annotated[bytes, _decoder(HASH_BYTES), _AS_HEX]
Address = Annotated[bytes, _decoder(ADDRESS_BYTES), _AS_HEX]
G1Hex = Annotated[bytes, _decoder(G1_BYTES), _AS_HEX]
Uint32 = Annotated[int, Field(strict=True, ge=0, le=MAX_UINT32)]
Reason = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Vote(BaseModel):
    """What both kinds of vote carry.

    Attributes:
        task_block: block of the task's NewBatchV3 event.
        signature: BLS signature of the operator over the vote's digest (core.eip712), 64 bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_root: Hash
    sender: Address
    task_block: Uint32
    operator_id: Hash
    signature: G1Hex


class SignatureMessage(Vote):
    """POST /v1/signatures: every proof of the batch is valid; signed over `task_digest`."""


class RefusalMessage(Vote):
    """POST /v1/refusals: why the operator does not sign; signed over `refusal_digest`.

    Attributes:
        leaf_index: first failing leaf, or WHOLE_BATCH with a zero leaf.
    """

    leaf_index: Uint32
    leaf: Hash
    reason: Reason
