"""Every refusal of the gateway with its HTTP status; verdicts on proofs are 422."""

from __future__ import annotations

from typing import Final

from aligned.core.errors import (
    MALFORMED_MESSAGE,
    NONCE_USED,
    TIMEOUT,
    UNSUPPORTED_SYSTEM,
    ProtocolError,
)
from aligned.wire.aggregator import BODY_TOO_LARGE, RATE_LIMITED
from aligned.wire.gateway import (
    BAD_SIGNATURE,
    EXPIRED_DEADLINE,
    LEAVES_NOT_READY,
    NONCE_GAP,
    PARTS_OUT_OF_ORDER,
    PAYMENT_REQUIRED,
    QUOTA_EXHAUSTED,
    UNKNOWN_AGGREGATION,
    UNKNOWN_PROOF,
    UNSUPPORTED_MEDIA_TYPE,
)

STATUS: Final = {
    MALFORMED_MESSAGE: 400,
    PARTS_OUT_OF_ORDER: 400,
    BAD_SIGNATURE: 401,
    EXPIRED_DEADLINE: 401,
    PAYMENT_REQUIRED: 402,
    QUOTA_EXHAUSTED: 402,
    UNKNOWN_PROOF: 404,
    UNKNOWN_AGGREGATION: 404,
    TIMEOUT: 408,
    NONCE_USED: 409,
    NONCE_GAP: 409,
    LEAVES_NOT_READY: 409,
    BODY_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    UNSUPPORTED_SYSTEM: 415,
    RATE_LIMITED: 429,
}
_VERDICT = 422


def refusal(code: str, message: str, **context: object) -> ProtocolError:
    """The error to raise; its answer has the code's status and `context` as further members."""
    return ProtocolError(code, message, status=STATUS.get(code, _VERDICT), **context)
