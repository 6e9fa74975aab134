"""Parsers of single fields, for `Fields.take`: the value, or None for what is not one."""

from __future__ import annotations

import re
from typing import Any

from aligned.core.types import ADDRESS_BYTES, HASH_BYTES

_HEX = re.compile(r"0x[0-9a-fA-F]*\Z")
_MAX_U256_HEX = 2 + 64


def blob(value: Any) -> bytes | None:
    """Bytes in either form (an array of integers has been decoded to bytes; an empty one is still a list)."""
    if isinstance(value, bytes):
        return value
    return b"" if value == [] else None


def text(value: Any) -> str | None:
    """A text."""
    return value if isinstance(value, str) else None


def uint(value: Any) -> int | None:
    """A non-negative CBOR integer."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def mapping(value: Any) -> dict[str, Any] | None:
    """A map."""
    return value if isinstance(value, dict) else None


def u256(value: Any) -> int | None:
    """A 256-bit number as 0x-hex text."""
    if not isinstance(value, str) or not 2 < len(value) <= _MAX_U256_HEX or not _HEX.match(value):
        return None
    return int(value, 16)


def address(value: Any) -> bytes | None:
    """20 bytes as 0x-hex text."""
    return _fixed_hex(value, ADDRESS_BYTES)


def hash32(value: Any) -> bytes | None:
    """32 bytes in either form of a blob."""
    raw = blob(value)
    return raw if raw is not None and len(raw) == HASH_BYTES else None


def hex_hash32(value: Any) -> bytes | None:
    """32 bytes as 0x-hex text."""
    return _fixed_hex(value, HASH_BYTES)


def to_hex(value: bytes | int) -> str:
    """Address or number as the protocol writes it: lower case, 0x, numbers without leading zeros."""
    return hex(value) if isinstance(value, int) else "0x" + value.hex()


def _fixed_hex(value: Any, length: int) -> bytes | None:
    if not isinstance(value, str) or len(value) != 2 + 2 * length or not _HEX.match(value):
        return None
    return bytes.fromhex(value[2:])
