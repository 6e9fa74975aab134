"""BN254 BLS for the contract tests, on py_ecc: written apart from the native implementation on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils import keccak
from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    G1,
    G2,
    add,
    b2,
    curve_order,
    field_modulus,
    is_on_curve,
    multiply,
    neg,
    normalize,
)

P = field_modulus
R = curve_order
Words = tuple[int, int]
G2Words = tuple[Words, Words]
INFINITY: Words = (0, 0)
INFINITY_G2: G2Words = ((0, 0), (0, 0))


def g1_words(point) -> Words:
    """(X, Y) of a projective point; (0, 0) at infinity."""
    if point[2] == FQ.zero():
        return INFINITY
    x, y = normalize(point)
    return int(x), int(y)


def g1_point(words: Words):
    """Projective point of (X, Y)."""
    if words == INFINITY:
        return (FQ.one(), FQ.one(), FQ.zero())
    return (FQ(words[0]), FQ(words[1]), FQ.one())


def g2_words(point) -> G2Words:
    """EIP-197 order: imaginary part first."""
    x, y = normalize(point)
    return (int(x.coeffs[1]), int(x.coeffs[0])), (int(y.coeffs[1]), int(y.coeffs[0]))


def negate(words: Words) -> Words:
    return g1_words(neg(g1_point(words)))


def sum_g1(points: list[Words]) -> Words:
    total = g1_point(INFINITY)
    for words in points:
        total = add(total, g1_point(words))
    return g1_words(total)


def g2_point(words: G2Words):
    """Projective point of EIP-197 words."""
    (x_im, x_re), (y_im, y_re) = words
    return (FQ2([x_re, x_im]), FQ2([y_re, y_im]), FQ2.one())


def subtract_g2(words: G2Words, other: G2Words) -> G2Words:
    return g2_words(add(g2_point(words), neg(g2_point(other))))


def operator_id(words: Words) -> bytes:
    return keccak(words[0].to_bytes(32, "big") + words[1].to_bytes(32, "big"))


def hash_to_g1(digest: bytes) -> tuple[Words, int, list[int]]:
    """Point, root witness and skip witnesses (BN254Types.sol)."""
    x = int.from_bytes(digest, "big") % P
    skips: list[int] = []
    while True:
        beta = (pow(x, 3, P) + 3) % P
        y = pow(beta, (P + 1) // 4, P)
        if y * y % P == beta:
            return (x, y), pow(y, (P + 1) // 4, P), skips
        skips.append(pow(-beta % P, (P + 1) // 4, P))
        x = (x + 1) % P


def witness(digest: bytes) -> tuple[int, list[int]]:
    _, root, skips = hash_to_g1(digest)
    return root, skips


@dataclass(frozen=True)
class Key:
    """A secret key and its two public forms."""

    secret: int

    @property
    def g1(self) -> Words:
        return g1_words(multiply(G1, self.secret))

    @property
    def g2(self) -> G2Words:
        return g2_words(multiply(G2, self.secret))

    @property
    def id(self) -> bytes:
        return operator_id(self.g1)

    def sign(self, digest: bytes) -> Words:
        point, _, _ = hash_to_g1(digest)
        return g1_words(multiply(g1_point(point), self.secret))


def make_key(label: str) -> Key:
    """The same key for the same label."""
    return Key(int.from_bytes(keccak(text=f"bls key {label}"), "big") % R)


def combined(keys: list[Key]) -> Key:
    """The key whose signature is the sum of theirs."""
    return Key(sum(key.secret for key in keys) % R)


def twist_point_outside_subgroup() -> G2Words:
    """A point of the twist that is not in the group of order r (its cofactor is not 1)."""
    x_re = 1
    while True:
        x = FQ2([x_re, 1])
        y = _sqrt_fq2(x * x * x + b2)
        if y is not None:
            point = (x, y, FQ2.one())
            assert is_on_curve(point, b2)
            if multiply(point, R)[2] != FQ2.zero():
                return g2_words(point)
        x_re += 1


def _sqrt_fq2(value):
    """A square root in F_p² (p ≡ 3 mod 4, complex method), None if there is none."""
    re, im = (int(c) for c in value.coeffs)
    norm = pow(re * re + im * im, (P + 1) // 4, P)
    for sign in (norm, P - norm):
        half = (re + sign) * pow(2, -1, P) % P
        a = pow(half, (P + 1) // 4, P)
        if a and a * a % P == half:
            root = FQ2([a, im * pow(2 * a, -1, P) % P])
            if root * root == value:
                return root
    return None
