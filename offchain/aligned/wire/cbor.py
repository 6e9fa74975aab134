"""Bounded CBOR (RFC 8949): the subset that the protocols use, decoded without trusting any announced length.

Accepted: integers below 2^64, byte and text strings, arrays, maps with distinct text keys, true, false, null.
Refused: indefinite lengths, tags, floats (so NaN too), other simple values, trailing bytes, duplicate keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cbor2

from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.wire.int_array import read_byte_array

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
T = TypeVar("T")
_CONSTANTS = {20: False, 21: True, 22: None}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost.

    Attributes:
        max_bytes: length of the whole document.
        max_depth: nesting of arrays and maps.
        max_items: values in total; the elements of an array of bytes do not count, `max_bytes` bounds them.
    """

    max_bytes: int
    max_depth: int = 16
    max_items: int = 10_000


def decode(data: bytes | memoryview, limits: Limits) -> Any:
    """The one value that `data` is.

    A non-empty array whose elements are all integers 0–255 comes back as `bytes`, as a byte string does: both are
    forms of the same blob, and bytes are a sequence of integers as well.

    Raises:
        ProtocolError: malformed_message.
    """
    if len(data) > limits.max_bytes:
        raise malformed(f"{len(data)} bytes, at most {limits.max_bytes} are allowed")
    decoder = _Decoder(memoryview(data), limits)
    value = decoder.value(0)
    if decoder.position != len(data):
        raise malformed(f"{len(data) - decoder.position} bytes after the end of the value")
    return value


def encode(value: Any) -> bytes:
    """CBOR with definite lengths."""
    return cbor2.dumps(value)


def malformed(message: str) -> ProtocolError:
    """The error of every decoder of this package."""
    return ProtocolError(MALFORMED_MESSAGE, message)


class _Decoder:
    def __init__(self, data: memoryview, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._items = 0
        self.position = 0

    def value(self, depth: int) -> Any:
        self._count_item(depth)
        major, argument, short = self._head()
        if major in (_BYTES, _TEXT):
            return self._string(major, argument)
        if major == _ARRAY:
            return self._array(argument, depth)
        if major == _MAP:
            return self._map(argument, depth)
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _SIMPLE and short in _CONSTANTS:
            return _CONSTANTS[short]
        raise malformed(
            "tags are not accepted" if major == _TAG else "floats and simple values are not accepted"
        )

    def _count_item(self, depth: int) -> None:
        self._items += 1
        if self._items > self._limits.max_items:
            raise malformed(f"more than {self._limits.max_items} values")
        if depth > self._limits.max_depth:
            raise malformed(f"nested deeper than {self._limits.max_depth}")

    def _head(self) -> tuple[int, int, int]:
        """(major type, argument, the five low bits of the first byte)."""
        first = self._take(1)[0]
        major, short = first >> 5, first & 0x1F
        if short < 24:
            return major, short, short
        if short > 27:
            raise malformed("indefinite lengths are not accepted")
        return major, int.from_bytes(self._take(1 << (short - 24)), "big"), short

    def _take(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self._data):
            raise malformed(f"{count} bytes announced, {len(self._data) - self.position} are there")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _string(self, major: int, length: int) -> bytes | str:
        raw = bytes(self._take(length))
        if major == _BYTES:
            return raw
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise malformed("a text is not UTF-8") from error

    def _array(self, length: int, depth: int) -> bytes | list[Any]:
        self._check_room(length)
        blob = read_byte_array(self._data, self.position, length) if length else None
        if blob is None:
            return [self.value(depth + 1) for _ in range(length)]
        value, self.position = blob
        return value

    def _map(self, length: int, depth: int) -> dict[str, Any]:
        self._check_room(2 * length)
        entries: dict[str, Any] = {}
        for _ in range(length):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise malformed("a map key is not a text")
            if key in entries:
                raise malformed(f"map key {key[:64]!r} twice")
            entries[key] = self.value(depth + 1)
        return entries

    def _check_room(self, least_bytes: int) -> None:
        if least_bytes > len(self._data) - self.position:
            raise malformed(
                f"an announced length needs {least_bytes} bytes, {len(self._data) - self.position} are there"
            )


class Fields:
    """The entries of a decoded map, taken one by one by name and type."""

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise malformed(f"{what} is not a map")
        self._entries: dict[str, Any] = dict(value)
        self._what = what

    def take(self, name: str, parse: Callable[[Any], T | None]) -> T:
        """The required entry `name`; `parse` returns None for what it does not accept."""
        parsed = parse(self._entries.pop(name, None))
        if parsed is None:
            raise malformed(f"{self._what}.{name} is missing or of the wrong type")
        return parsed

    def optional(self, name: str, parse: Callable[[Any], T | None]) -> T | None:
        """The entry `name`, None where it is absent or null."""
        return None if self._entries.get(name) is None else self.take(name, parse)

    def done(self) -> None:
        """Refuses entries that nobody took (null ones are as good as absent)."""
        if unknown := [name for name, value in self._entries.items() if value is not None]:
            raise malformed(f"{self._what} has unknown fields {sorted(unknown)[:4]}")
