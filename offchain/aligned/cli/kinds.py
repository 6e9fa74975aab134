"""Result files that users hand back: which command wrote a file, and so which one reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.core.text import decode_text
from aligned.sdk.aggregation_models import read_receipt
from aligned.sdk.models import ProofVerificationData
from aligned.wire.gateway import Receipt

_FAST_MODE = "written by `aligned submit --wait verified --output FILE`"
_AGGREGATION = "written by `aligned aggregation submit --output FILE`"


def read_verification_data(file: Path) -> ProofVerificationData:
    """What `aligned submit --output` wrote.

    Raises:
        ProtocolError: malformed_message, with what the file is instead.
    """
    content = file.read_bytes()
    try:
        return ProofVerificationData.from_json(decode_text(content, str(file)))
    except ProtocolError as error:
        raise _other_kind(file, content, _FAST_MODE, error) from None


def read_aggregation_receipt(file: Path) -> Receipt:
    """What `aligned aggregation submit --output` wrote.

    Raises:
        ProtocolError: malformed_message, with what the file is instead.
    """
    content = file.read_bytes()
    try:
        return read_receipt(content)
    except ProtocolError as error:
        raise _other_kind(file, content, _AGGREGATION, error) from None


def _other_kind(file: Path, content: bytes, expected: str, error: ProtocolError) -> ProtocolError:
    found = _kind(content) or f"it cannot be read as that ({error.message})"
    return ProtocolError(MALFORMED_MESSAGE, f"{file}: expected a file {expected}; {found}")


def _kind(content: bytes) -> str | None:
    try:
        fields: Any = json.loads(content)
    except ValueError:
        return "this is no JSON"
    except RecursionError:
        return None
    if not isinstance(fields, dict):
        return "this is JSON without fields"
    if "batch_root" in fields and "merkle_path" in fields:
        return f"this is fast mode's, {_FAST_MODE}: `aligned verify-onchain` reads it"
    if "history" in fields and "commitment" in fields:
        return f"this is a receipt of aggregation mode, {_AGGREGATION}: `aligned aggregation verify-inclusion` reads it"
    if isinstance(fields.get("proofs"), list):
        return "this is the output of `aligned submit --json`: its `verification_data` is what is meant"
    if "error" in fields:
        return "this is the error of a command that failed"
    return None
