"""Numbers and points of Groth16 files as tools write them, read into the one form that snarkjs writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

P: Final = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""The field of coordinates (BN254)."""
Note = Callable[[str], None]
"""Takes what was changed, in words."""
G1 = list[str]
G2 = list[list[str]]
_Pair = tuple[int, int]
_NUMBER: Final = re.compile(r"(?:0[xX]([0-9a-fA-F]+)|([0-9]+))n?\Z")
_MAX_DIGITS: Final = 200


class Number(str):
    """A number as it stands in JSON, where a text is expected."""

    __slots__ = ()


def number(value: object, note: Note) -> str:
    """Decimal text in its shortest form.

    Raises:
        ValueError: no integer in decimal or 0x form.
    """
    match = _NUMBER.match(value.strip()) if isinstance(value, str) and len(value) <= _MAX_DIGITS else None
    if match is None:
        raise ValueError(f"{str(value)[:90]!r} is no whole number in decimal or 0x form")
    text = str(int(match[1], 16) if match[1] else int(match[2]))
    if isinstance(value, Number):
        note("JSON numbers are written as text")
    elif match[1]:
        note("hexadecimal numbers are written in decimal")
    elif text != value:
        note("numbers are written in their shortest form")
    return text


def g1(value: object, note: Note) -> G1:
    """A point with Z = 1.

    Raises:
        ValueError: not a point of two or three numbers, or the point at infinity.
    """
    x, y, z = (int(number(part, note)) for part in _parts(value, "1", note))
    if z != 1:
        if z % P == 0:
            raise ValueError("the point at infinity")
        note("points are written with Z = 1")
        inverse = pow(z, -1, P)
        x, y = x * inverse**2 % P, y * inverse**3 % P
    return [str(_reduced(x, note)), str(_reduced(y, note)), "1"]


def g2(value: object, note: Note) -> G2:
    """A point with Z = 1, real parts first; where only the other order is on the curve, it was the other order.

    Raises:
        ValueError: not a point of two or three pairs, or not with Z = 1.
    """
    x, y, z = (_pair(part, note) for part in _parts(value, ["1", "0"], note))
    if z not in ((1, 0), (0, 1)):
        raise ValueError("a point of the second group that is at infinity, or not written with Z = 1")
    if z == (0, 1) or (not _on_twist(x, y) and _on_twist(x[::-1], y[::-1])):
        note("coordinates of the second group are written with the real part first")
        x, y = x[::-1], y[::-1]
    return [[str(part) for part in x], [str(part) for part in y], ["1", "0"]]


def _parts(value: object, last: Any, note: Note) -> list[Any]:
    """Three coordinates."""
    if isinstance(value, dict) and {"x", "y"} <= value.keys():
        note("points are written as lists")
        value = [value[name] for name in ("x", "y", "z") if name in value]
    if not isinstance(value, list) or len(value) not in (2, 3):
        raise ValueError("a point has two or three coordinates")
    if len(value) == 2:
        note("points are written with three coordinates")
        return [*value, last]
    return value


def _pair(value: object, note: Note) -> _Pair:
    if isinstance(value, dict) and value.keys() == {"c0", "c1"}:
        note("points are written as lists")
        value = [value["c0"], value["c1"]]
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("a coordinate of the second group has two parts")
    first, second = (_reduced(int(number(part, note)), note) for part in value)
    return first, second


def _reduced(value: int, note: Note) -> int:
    if value >= P:
        note("coordinates are written below the field's modulus")
    return value % P


def _on_twist(x: _Pair, y: _Pair) -> bool:
    """Whether y² = x³ + 3/(9 + i)."""
    square, cube = _times(y, y), _times(_times(x, x), x)
    left = _times((square[0] - cube[0], square[1] - cube[1]), (9, 1))
    return left == (3, 0)


def _times(a: _Pair, b: _Pair) -> _Pair:
    return (a[0] * b[0] - a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P
