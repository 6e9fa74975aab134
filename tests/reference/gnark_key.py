"""gnark's file of a Groth16 verifying key on BN254 with six IC points, decoded: how SP1 publishes its keys.

α G1, β G1, β G2, γ G2, δ G1, δ G2, number of IC points, IC points; points compressed, big-endian, with the sign of y in
the top two bits (10 smaller, 11 larger). G2 has the imaginary part first.
"""

from __future__ import annotations

from typing import Any

from tests.reference.bls import P, square_root

_LARGER, _MASK = 3, (1 << 254) - 1
_HALF = pow(2, -1, P)
Pair = tuple[int, int]


def decode_key(data: bytes) -> tuple[Any, ...]:
    """(α, β, γ, δ, IC) as the contracts' constructors take them."""
    assert len(data) == 492
    assert int.from_bytes(data[288:292], "big") == 6
    ic = [_g1(data[292 + 32 * i :][:32]) for i in range(6)]
    return _g1(data[:32]), _g2(data[64:128]), _g2(data[128:192]), _g2(data[224:288]), ic


def _g1(data: bytes) -> Pair:
    x, larger = _unpack(data)
    y = square_root(pow(x, 3, P) + 3)
    assert y is not None
    return x, y if (y > P - y) == larger else P - y


def _g2(data: bytes) -> tuple[Pair, Pair]:
    """((x.im, x.re), (y.im, y.re))."""
    im, larger = _unpack(data[:32])
    x = (im, int.from_bytes(data[32:], "big"))
    y = twist_y(x)
    assert y is not None
    negative = ((P - y[0]) % P, (P - y[1]) % P)
    return x, y if (y > negative) == larger else negative


def twist_y(x: Pair) -> Pair | None:
    """A y for which (x, y) is on the curve of G2, if there is one; pairs are (imaginary, real)."""
    return _root(_add(_times(x, _times(x, x)), _divide((0, 3), (1, 9))))


def _unpack(data: bytes) -> tuple[int, bool]:
    value = int.from_bytes(data, "big")
    assert value >> 254 in (2, 3)
    return value & _MASK, value >> 254 == _LARGER


def _add(a: Pair, b: Pair) -> Pair:
    return (a[0] + b[0]) % P, (a[1] + b[1]) % P


def _times(a: Pair, b: Pair) -> Pair:
    return (a[0] * b[1] + a[1] * b[0]) % P, (a[1] * b[1] - a[0] * b[0]) % P


def _divide(a: Pair, b: Pair) -> Pair:
    inverse = pow(b[0] ** 2 + b[1] ** 2, -1, P)
    return _times(a, (-b[0] * inverse % P, b[1] * inverse % P))


def _root(a: Pair) -> Pair | None:
    """Square root in the quadratic extension: (x + iy)² = a by way of the norm."""
    norm = square_root((a[0] ** 2 + a[1] ** 2) % P)
    for each in () if norm is None else (norm, P - norm):
        re = square_root((a[1] + each) * _HALF % P)
        if re:
            found = (a[0] * _HALF * pow(re, -1, P) % P, re)
            if _times(found, found) == a:
                return found
    return None
