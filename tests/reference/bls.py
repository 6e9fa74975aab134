"""BLS on BN254 with py_ecc, and points that must be refused."""

from __future__ import annotations

from typing import Any

from py_ecc import optimized_bn128 as curve

from tests.reference.leaf import keccak256

P: int = curve.field_modulus
R: int = curve.curve_order
SEED_TAG = b"aligned/bls-secret/v1"


def word(value: int) -> bytes:
    """32 bytes big-endian."""
    return value.to_bytes(32, "big")


def g1_bytes(point: Any) -> bytes:
    """X ‖ Y."""
    x, y = curve.normalize(point)
    return word(int(x)) + word(int(y))


def g2_bytes(point: Any) -> bytes:
    """X.im ‖ X.re ‖ Y.im ‖ Y.re."""
    x, y = curve.normalize(point)
    return b"".join(word(int(part)) for part in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0]))


def g1_point(data: bytes) -> Any:
    """Inverse of `g1_bytes`."""
    x, y = (int.from_bytes(data[i : i + 32], "big") for i in (0, 32))
    return (curve.FQ(x), curve.FQ(y), curve.FQ(1))


def g2_point(data: bytes) -> Any:
    """Inverse of `g2_bytes`."""
    x_im, x_re, y_im, y_re = (int.from_bytes(data[i : i + 32], "big") for i in (0, 32, 64, 96))
    return (curve.FQ2([x_re, x_im]), curve.FQ2([y_re, y_im]), curve.FQ2.one())


def secret_from_seed(seed: bytes) -> int:
    """512 bits of keccak over tag, counter, half and seed, modulo the order."""
    for counter in range(256):
        halves = (keccak256(SEED_TAG + bytes([counter, half]) + seed) for half in (0, 1))
        if secret := int.from_bytes(b"".join(halves), "big") % R:
            return secret
    raise AssertionError("cannot happen")


def public_key(secret: int) -> tuple[bytes, bytes]:
    """The key in both groups."""
    return g1_bytes(curve.multiply(curve.G1, secret)), g2_bytes(curve.multiply(curve.G2, secret))


def square_root(value: int) -> int | None:
    """A square root modulo p, if there is one."""
    root = pow(value, (P + 1) // 4, P)
    return root if root * root % P == value % P else None


def hash_to_g1(digest: bytes) -> tuple[bytes, int, list[int]]:
    """The point, a fourth root of x³ + 3, and square roots of −(x³ + 3) for the skipped x."""
    x = int.from_bytes(digest, "big") % P
    skips: list[int] = []
    while True:
        beta = (x**3 + 3) % P
        root = square_root(beta)
        if root is not None:
            y = root if square_root(root) is not None else P - root
            witness = square_root(y)
            assert witness is not None
            return word(x) + word(y), witness, skips
        skip = square_root(P - beta)
        assert skip is not None
        skips.append(skip)
        x = (x + 1) % P


def sign(secret: int, digest: bytes) -> bytes:
    """The hash point times the secret."""
    return g1_bytes(curve.multiply(g1_point(hash_to_g1(digest)[0]), secret))


def verify(key_g2: bytes, digest: bytes, signature: bytes) -> bool:
    """e(signature, G2) = e(H(digest), key), for points that are known to be good."""
    left = curve.pairing(curve.G2, g1_point(signature))
    return bool(left == curve.pairing(g2_point(key_g2), g1_point(hash_to_g1(digest)[0])))


def outside_subgroup() -> bytes:
    """The first point of the twist, by its abscissa (n, 0), that is not of order r."""
    for n in range(1, 100):
        x = curve.FQ2([n, 0])
        y = _fq2_square_root(x * x * x + curve.b2)
        if y is not None and not curve.is_inf(curve.multiply((x, y, curve.FQ2.one()), R)):
            return g2_bytes((x, y, curve.FQ2.one()))
    raise AssertionError("nearly every point of the twist is outside")


def _fq2_square_root(value: Any) -> Any:
    real, imaginary = (int(part) for part in value.coeffs)
    norm = square_root((real * real + imaginary * imaginary) % P)
    if norm is None:
        return None
    for half in ((real + norm) * pow(2, -1, P) % P, (real - norm) * pow(2, -1, P) % P):
        root = square_root(half)
        if root:
            candidate = curve.FQ2([root, imaginary * pow(2 * root, -1, P) % P])
            if candidate * candidate == value:
                return candidate
    return None


def invalid_g1() -> dict[str, bytes]:
    """64 bytes that are no usable G1 point."""
    x, y = word(1), word(2)
    return {
        "infinity": bytes(64),
        "off_curve": x + word(3),
        "x_zero": word(0) + word(2),
        "x_plus_p": word(1 + P) + y,
        "y_plus_p": x + word(2 + P),
        "x_is_p": word(P) + y,
        "all_ones": b"\xff" * 64,
        "flag_bit": x + (1 << 255 | 2).to_bytes(32, "big"),
        "short": (x + y)[:63],
        "long": x + y + b"\x00",
        "empty": b"",
    }


def invalid_g2() -> dict[str, bytes]:
    """128 bytes that are no usable G2 point."""
    good = g2_bytes(curve.G2)
    words = [int.from_bytes(good[i : i + 32], "big") for i in range(0, 128, 32)]
    shifted = [b"".join(word(value + P * (i == j)) for j, value in enumerate(words)) for i in range(4)]
    return {
        "infinity": bytes(128),
        "off_curve": good[:-1] + bytes([good[-1] ^ 1]),
        "outside_subgroup": outside_subgroup(),
        "parts_swapped": b"".join(word(words[i]) for i in (1, 0, 3, 2)),
        "all_ones": b"\xff" * 128,
        "short": good[:127],
        "long": good + b"\x00",
        "g1_point": word(1) + word(2),
    } | {f"word_{i}_plus_p": point for i, point in enumerate(shifted)}
