"""Texts and schemas of the API that FastAPI cannot derive from the code."""

from __future__ import annotations

from typing import Any, Final

from aligned.gateway.refusals import STATUS
from aligned.wire.gateway import FILE_PARTS, TEXT_PARTS, Receipt

API: Final = (
    "Takes signed proofs, verifies them and queues them for aggregation. Errors are application/problem+json with a "
    "stable `code`; byte values are 0x and hex."
)
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable identifier"},
        "detail": {"type": "string", "description": "for people"},
    },
}
_OTHER: Final = {
    422: "the verdict on the proof",
    503: "database_unavailable, server_busy, …: send it again later",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Descriptions of error answers, with the codes that each status may have."""
    return {
        status: {
            "description": _OTHER.get(status)
            or ", ".join(code for code, of in STATUS.items() if of == status),
            "content": {"application/problem+json": {"schema": _PROBLEM}},
        }
        for status in (*statuses, 503)
    }


def _part(description: str, **schema: Any) -> dict[str, Any]:
    return {"type": "string", "description": description} | schema


_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The texts come before the files, in any order.",
    "required": [part for part in (*TEXT_PARTS, *FILE_PARTS) if part != "address"],
    "properties": {
        "system": _part("proving system", enum=["sp1", "risc0"]),
        "nonce": _part("next nonce of the account, decimal"),
        "deadline": _part("Unix seconds until which the signature is good, decimal"),
        "signature": _part("EIP-712 ProofSubmission, 0x and 65 bytes r‖s‖v"),
        "proof_hash": _part("keccak-256 of the proof, as signed: 0x and 64 hex digits"),
        "key_hash": _part("keccak-256 of the key"),
        "public_input_hash": _part("keccak-256 of the public inputs"),
        "address": _part("signer; when given, any other signature is refused as such (optional)"),
        "key": _part(
            "SP1: the saved verifying key, 104 bytes; RISC0: the image id, 32 bytes", format="binary"
        ),
        "public_inputs": _part("SP1: the public values; RISC0: the journal", format="binary"),
        "proof": _part(
            "SP1: a saved Compressed proof; RISC0: a Composite or Succinct receipt", format="binary"
        ),
    },
}
SUBMISSION: Final[dict[str, Any]] = {
    "status_code": 201,
    "response_model": Receipt,
    "responses": {200: {"model": Receipt, "description": "the same proof was there before"}}
    | problems(400, 401, 402, 408, 409, 413, 415, 422, 429),
    "openapi_extra": {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
    },
}
