"""Arrays of small integers as bytes, at the speed of C.

Serde writes a `Vec<u8>` as a CBOR array of integers: 0–23 are one byte each, 24–255 are 0x18 and the value. A proof of
1.2 MB has 1.2 million elements, far too many for a loop, so chunks are turned over with bytes methods.
"""

from __future__ import annotations

import re

_CHUNK_BYTES = 1 << 16
_ONE_BYTE = 0x18
_ESCAPED_PREFIX = b"\x18\x18"
# A byte above 0x18 stands for something else than a small integer, unless it is the value behind a prefix.
_FOREIGN = re.compile(rb"(?<!\x18)[\x19-\xff]")


def read_byte_array(data: memoryview, start: int, length: int) -> tuple[bytes, int] | None:
    """`length` elements from `start`, and the position behind them; None if they are not all integers 0–255.

    None as well where the data ends early: the general decoder then says what is wrong.
    """
    parts: list[bytes] = []
    position, missing = start, length
    while missing > 1:
        # A chunk no longer than what is missing never holds too many elements, as each takes a byte at least.
        chunk = bytes(data[position : position + min(missing, _CHUNK_BYTES)])
        values = _elements(chunk)
        if values is None:
            return None
        elements, consumed = values
        if not consumed:
            return None
        parts.append(elements)
        position += consumed
        missing -= len(elements)
    if missing:
        last = bytes(data[position : position + 2])
        if last and last[0] < _ONE_BYTE:
            parts.append(last[:1])
            position += 1
        elif len(last) == 2 and last[0] == _ONE_BYTE:
            parts.append(last[1:])
            position += 2
        else:
            return None
    return b"".join(parts), position


def _elements(chunk: bytes) -> tuple[bytes, int] | None:
    """The whole elements of a chunk (two bytes or more) and how many bytes they take; None for foreign items.

    A run of 0x18 always begins with a prefix, so its bytes pair up from the left: "prefix, value 0x18".
    """
    marked = chunk.replace(_ESCAPED_PREFIX, b"\x00")
    if _FOREIGN.search(marked) or not chunk:
        return None
    if marked.endswith(b"\x18"):
        chunk = chunk[:-1]
    values = b"\x18".join(piece.translate(None, b"\x18") for piece in chunk.split(_ESCAPED_PREFIX))
    return values, len(chunk)
