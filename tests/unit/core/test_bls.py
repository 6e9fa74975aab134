"""The facade over the native BLS: words, ids, secrets that do not show."""

from __future__ import annotations

from aligned_native import bls_secret_from_seed
from eth_utils import keccak

from aligned.core import bls

SECRET = bls.SecretKey(bls_secret_from_seed(b"facade" * 8))


def test_secret_key__printed__does_not_show_the_secret() -> None:
    assert SECRET.raw.hex() not in repr(SECRET)
    assert str(int.from_bytes(SECRET.raw, "big")) not in f"{SECRET} {[SECRET]!r}"


def test_operator_id__any_key__is_keccak_of_both_coordinates() -> None:
    g1, _ = SECRET.public_keys()
    x, y = bls.g1_words(g1)
    assert SECRET.operator_id() == keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))


def test_words__there_and_back__are_the_point() -> None:
    g1, g2 = SECRET.public_keys()
    assert bls.g1_bytes(bls.g1_words(g1)) == g1
    assert bls.g2_bytes(bls.g2_words(g2)) == g2


def test_verify__own_signature__only_over_its_digest() -> None:
    _, g2 = SECRET.public_keys()
    signature = SECRET.sign(b"\x01" * 32)
    assert bls.verify(g2, b"\x01" * 32, signature)
    assert not bls.verify(g2, b"\x02" * 32, signature)


def test_hash_witness__any_digest__lies_on_the_curve() -> None:
    modulus = 21888242871839275222246405745257275088696311157297823662689037894645226208583
    digest = keccak(b"witness")
    witness = bls.hash_witness(digest)
    x = int.from_bytes(digest, "big") % modulus
    for skip in witness.skips:
        assert pow(skip, 2, modulus) == -(pow(x, 3, modulus) + 3) % modulus
        x = (x + 1) % modulus
    assert pow(witness.root, 4, modulus) == (pow(x, 3, modulus) + 3) % modulus
