"""The bounded CBOR decoder against the worst bytes."""

from __future__ import annotations

import contextlib
import math
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.errors import ProtocolError
from aligned.wire.cbor import Fields, Limits, decode, encode, malformed
from aligned.wire.fields import u256

LIMITS = Limits(max_bytes=1 << 22, max_depth=8, max_items=1_000)
GIB = 1 << 30

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def normal(value: Any) -> Any:
    """What the decoder makes of a value: an array of bytes is bytes."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(type(item) is int and 0 <= item <= 255 for item in value):
            return bytes(value)
        return [normal(item) for item in value]
    return value


@given(values)
def test_decode__any_value__is_what_was_encoded(value: Any) -> None:
    assert decode(cbor2.dumps(value), LIMITS) == normal(value)
    assert decode(encode(value), LIMITS) == normal(value)


@given(st.binary(max_size=200))
def test_decode__any_bytes__value_or_malformed_message(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        value = decode(data, LIMITS)
        assert decode(cbor2.dumps(value), LIMITS) == normal(value)


@given(values, st.data())
def test_decode__prefix_of_a_value__malformed(value: Any, data: st.DataObject) -> None:
    whole = cbor2.dumps(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ProtocolError):
        decode(whole[:cut], LIMITS)


@given(st.binary(min_size=1, max_size=3_000))
def test_decode__array_of_integers__same_as_byte_string(blob: bytes) -> None:
    wrapped = {"a": list(blob), "b": 1}
    assert decode(cbor2.dumps(wrapped), LIMITS) == {"a": blob, "b": 1}


@pytest.mark.parametrize("fill", [0x00, 0x17, 0x18, 0x19, 0xFF])
def test_decode__large_array_of_integers__few_items_and_the_right_bytes(fill: int) -> None:
    blob = bytes([fill]) * 200_001
    assert decode(cbor2.dumps(list(blob)), LIMITS) == blob


def test_decode__non_canonical_small_integers__accepted() -> None:
    assert decode(b"\x83\x18\x05\x05\x18\x18", LIMITS) == b"\x05\x05\x18"


@pytest.mark.parametrize("last", [b"\x19\x01\x00", b"\x20", b"\xf6", b"\x41a", b"\x80"])
def test_decode__one_foreign_element__is_a_list(last: bytes) -> None:
    value = decode(b"\x84\x01\x18\x20\x02" + last, LIMITS)
    assert isinstance(value, list)
    assert value[:3] == [1, 0x20, 2]


@pytest.mark.parametrize("length", range(40))
def test_decode__array_cut_anywhere__malformed(length: int) -> None:
    whole = cbor2.dumps([0x18, 0x18, 5, 0x18, 200] * 4)
    if length < len(whole):
        with pytest.raises(ProtocolError):
            decode(whole[:length], LIMITS)


@pytest.mark.parametrize("major", [0x40, 0x60, 0x80, 0xA0])
@pytest.mark.parametrize("length", [GIB, 2**63, 2**64 - 1])
def test_decode__announced_length__is_not_allocated(major: int, length: int) -> None:
    data = bytes([major | 27]) + length.to_bytes(8, "big") + b"\x00" * 1_000
    tracemalloc.start()
    with pytest.raises(ProtocolError, match="announced"):
        decode(data, LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "data",
    [
        cbor2.dumps(1.5),
        cbor2.dumps(math.nan),
        b"\xf9\x7e\x00",
        b"\xc1\x01",
        b"\xc2\x41\x01",
        b"\x9f\x01\xff",
        b"\xbf\xff",
        b"\x5f\x41a\xff",
        b"\x1c",
        b"\xf7",
        b"\xf8\x20",
        b"\xff",
        b"",
        b"\x01\x01",
        b"\xa2\x61a\x01\x61a\x02",
        b"\xa1\x01\x02",
        b"\xa1\x41a\x02",
        b"\x62\xc3\x28",
        b"\x81" * 20 + b"\x01",
    ],
    ids=lambda data: data[:6].hex() or "empty",
)
def test_decode__what_the_protocols_do_not_use__malformed(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data, LIMITS)


def test_decode__more_items_or_bytes_than_allowed__malformed() -> None:
    with pytest.raises(ProtocolError, match="more than 10"):
        decode(cbor2.dumps([None] * 10), Limits(1_000, max_items=10))
    with pytest.raises(ProtocolError, match="at most 3"):
        decode(b"\x43abc", Limits(3))


def test_fields__unknown_or_missing__malformed() -> None:
    with pytest.raises(ProtocolError, match=r"m\.a"):
        Fields({}, "m").take("a", u256)
    entries = Fields({"a": "0x1", "b": 2, "c": None}, "m")
    assert entries.take("a", u256) == 1
    assert entries.optional("c", u256) is None
    with pytest.raises(ProtocolError, match="unknown fields"):
        entries.done()
    assert malformed("x").code == "malformed_message"


@pytest.mark.parametrize(
    "text", ["", "0x", "1", "0xg", "0x" + "f" * 65, "0x-1", "0x 1", " 0x1", "0x1\n", 1, None, b"0x1"]
)
def test_u256__not_a_number__none(text: object) -> None:
    assert u256(text) is None
