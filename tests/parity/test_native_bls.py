"""BN254 BLS: the native extension against py_ecc, and points that must be refused."""

from __future__ import annotations

from typing import Any

import aligned_native as native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aligned.core import bls
from tests.parity.native import data, vector
from tests.reference import bls as plain

SIGNATURES = vector("bls/signatures.json")
INVALID = vector("bls/invalid_points.json")
FIRST = SIGNATURES[0]
SECRET, KEY_G1, KEY_G2, DIGEST, SIGNATURE = (
    data(FIRST[name]) for name in ("secret", "key_g1", "key_g2", "digest", "signature")
)
digests = st.binary(min_size=32, max_size=32)


def negated(point: bytes) -> bytes:
    """−point of G1."""
    return point[:32] + plain.word(plain.P - int.from_bytes(point[32:], "big"))


@pytest.mark.parametrize("case", SIGNATURES, ids=range(len(SIGNATURES)))
def test_bls__vectors__are_reproduced(case: dict[str, Any]) -> None:
    secret, digest = data(case["secret"]), data(case["digest"])
    key_g1, key_g2 = data(case["key_g1"]), data(case["key_g2"])
    assert native.bls_secret_from_seed(data(case["seed"])) == secret
    assert native.bls_public_key(secret) == (key_g1, key_g2)
    skips = [data(skip) for skip in case["witness_skips"]]
    assert native.bls_hash_to_g1(digest) == (data(case["point"]), data(case["witness_root"]), skips)
    assert native.bls_sign(secret, digest) == data(case["signature"])
    assert native.bls_verify(key_g2, digest, data(case["signature"]))
    assert native.bls_keys_match(key_g1, key_g2)


def test_vectors__hashes_to_the_curve__some_skip_and_some_do_not() -> None:
    counts = {len(case["witness_skips"]) for case in SIGNATURES}
    assert 0 in counts
    assert max(counts) > 2


@given(digests)
def test_bls_hash_to_g1__any_digest__equals_the_plain_one(digest: bytes) -> None:
    point, root, skips = plain.hash_to_g1(digest)
    expected = (point, plain.word(root), [plain.word(skip) for skip in skips])
    assert native.bls_hash_to_g1(digest) == expected


@given(digests)
def test_bls_hash_to_g1__any_digest__gives_the_witnesses_that_the_contract_checks(digest: bytes) -> None:
    point, witness = native.bls_hash_to_g1(digest)[0], bls.hash_witness(digest)
    x = int.from_bytes(digest, "big") % plain.P
    for skip in witness.skips:
        assert (skip * skip + x**3 + 3) % plain.P == 0
        x = (x + 1) % plain.P
    y = witness.root * witness.root % plain.P
    assert (x, y) == bls.g1_words(point)
    assert (y * y - x**3 - 3) % plain.P == 0


@settings(max_examples=10)
@given(st.integers(1, plain.R - 1), digests)
def test_bls_sign__any_secret__equals_py_ecc(secret: int, digest: bytes) -> None:
    raw = plain.word(secret)
    assert native.bls_public_key(raw) == plain.public_key(secret)
    assert native.bls_sign(raw, digest) == plain.sign(secret, digest)


def test_bls_verify__py_ecc_signature__both_accept() -> None:
    secret = 0x1234567890ABCDEF
    key, signature = plain.public_key(secret)[1], plain.sign(secret, DIGEST)
    assert plain.verify(key, DIGEST, signature)
    assert native.bls_verify(key, DIGEST, signature)


def test_bls_verify__anything_else_than_the_signed__is_refused() -> None:
    other = SIGNATURES[1]
    assert native.bls_verify(KEY_G2, DIGEST, SIGNATURE)
    assert not native.bls_verify(KEY_G2, data(other["digest"]), SIGNATURE)
    assert not native.bls_verify(data(other["key_g2"]), DIGEST, SIGNATURE)
    assert not native.bls_verify(KEY_G2, DIGEST, data(other["signature"]))
    assert not native.bls_verify(KEY_G2, DIGEST, negated(SIGNATURE))
    assert not native.bls_verify(KEY_G2, DIGEST[:31], SIGNATURE)
    assert not native.bls_verify(KEY_G2, DIGEST + b"\x00", SIGNATURE)


@pytest.mark.parametrize("name", INVALID["g1"])
def test_g1__invalid_point__is_refused_everywhere(name: str) -> None:
    point = data(INVALID["g1"][name])
    assert not native.bls_verify(KEY_G2, DIGEST, point)
    assert not native.bls_keys_match(point, KEY_G2)
    for points in ([point], [KEY_G1, point], [point, KEY_G1]):
        with pytest.raises(ValueError, match="point"):
            native.bls_aggregate_g1(points)


@pytest.mark.parametrize("name", INVALID["g2"])
def test_g2__invalid_point__is_refused_everywhere(name: str) -> None:
    point = data(INVALID["g2"][name])
    assert not native.bls_verify(point, DIGEST, SIGNATURE)
    assert not native.bls_keys_match(KEY_G1, point)
    for points in ([point], [KEY_G2, point], [point, KEY_G2]):
        with pytest.raises(ValueError, match="point"):
            native.bls_aggregate_g2(points)


def test_bls_verify__infinity_key_and_signature__is_refused() -> None:
    """The pairing equation holds for them whatever the digest."""
    assert not native.bls_verify(bytes(128), DIGEST, bytes(64))
    assert not native.bls_keys_match(bytes(64), bytes(128))


def test_bls_keys_match__other_secret__is_refused() -> None:
    assert not native.bls_keys_match(data(SIGNATURES[1]["key_g1"]), KEY_G2)
    assert not native.bls_keys_match(negated(KEY_G1), KEY_G2)


@settings(max_examples=5)
@given(st.lists(st.integers(1, plain.R - 1), min_size=1, max_size=4, unique=True))
def test_bls_aggregate__keys_and_signatures__are_those_of_the_summed_secret(secrets: list[int]) -> None:
    total = sum(secrets) % plain.R
    keys = [native.bls_public_key(plain.word(secret)) for secret in secrets]
    g1, g2 = (
        native.bls_aggregate_g1([key[0] for key in keys]),
        native.bls_aggregate_g2([key[1] for key in keys]),
    )
    assert (g1, g2) == plain.public_key(total)
    signature = native.bls_aggregate_g1([native.bls_sign(plain.word(secret), DIGEST) for secret in secrets])
    assert signature == native.bls_sign(plain.word(total), DIGEST)
    assert native.bls_verify(g2, DIGEST, signature)


def test_bls_aggregate__points_that_cancel__give_infinity_which_is_no_key() -> None:
    total = native.bls_aggregate_g1([KEY_G1, negated(KEY_G1)])
    assert total == bytes(64)
    assert not native.bls_keys_match(total, KEY_G2)


def test_bls_aggregate__nothing__raises() -> None:
    for function in (native.bls_aggregate_g1, native.bls_aggregate_g2):
        with pytest.raises(ValueError, match="no points"):
            function([])


@pytest.mark.parametrize("secret", [0, plain.R, plain.R + 1, 2**256 - 1])
def test_secret__not_below_the_order_or_zero__raises_without_showing_it(secret: int) -> None:
    for function in (native.bls_public_key, lambda raw: native.bls_sign(raw, DIGEST)):
        with pytest.raises(ValueError, match="secret") as caught:
            function(plain.word(secret))
        assert plain.word(secret).hex() not in str(caught.value)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_secret_and_digest__of_wrong_length__raise(length: int) -> None:
    with pytest.raises(ValueError, match="secret"):
        native.bls_public_key(bytes(length))
    with pytest.raises(ValueError, match="digest"):
        native.bls_sign(SECRET, bytes(length))
    with pytest.raises(ValueError, match="digest"):
        native.bls_hash_to_g1(bytes(length))


def test_bls_secret_from_seed__empty_seed__raises() -> None:
    with pytest.raises(ValueError, match="seed"):
        native.bls_secret_from_seed(b"")
