"""ECDSA: the reference's vector, and what must not be accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.errors import INVALID_SIGNATURE, ProtocolError
from aligned.core.signing import SECP256K1_ORDER, address_of, recover_address, sign_digest

KEY = bytes.fromhex("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6")
ADDRESS = bytes.fromhex("a0Ee7A142d267C1f36714E4a8F75612F20a79720")
DIGEST = bytes.fromhex("a7bdfa2e4b9695f9c6cd6ccd3b036660afafb3588f61f27616acfabbf28a15ee")
R = 0x67590868F22F5943CA4EED7D91F5A97064C6FCD67B5CACBA39A6C240BFCA54FB
S = 0x0CE61D5F460C6332406FFBE090AE9E1C65FCE43C6268213AB10B1B08AEB38482
V = 28


def test_address_of__vector__is_reproduced() -> None:
    assert address_of(KEY) == ADDRESS


def test_sign_digest__vector__is_reproduced() -> None:
    assert sign_digest(KEY, DIGEST) == R.to_bytes(32, "big") + S.to_bytes(32, "big") + bytes([V])


def test_recover_address__vector__gives_the_signer() -> None:
    assert recover_address(DIGEST, R, S, V) == ADDRESS


@given(st.binary(min_size=32, max_size=32))
def test_recover_address__any_signed_digest__gives_the_signer(digest: bytes) -> None:
    signature = sign_digest(KEY, digest)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    assert s <= SECP256K1_ORDER // 2
    assert recover_address(digest, r, s, signature[64]) == ADDRESS


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [
        (R, SECP256K1_ORDER - S, 27),
        (0, S, V),
        (R, 0, V),
        (SECP256K1_ORDER, S, V),
        (R, SECP256K1_ORDER + S, V),
        (R, S, 0),
        (R, S, 1),
        (R, S, 29),
        (R, S, 255),
        (-1, S, V),
        (R, -S, V),
        (SECP256K1_ORDER - 1, S, V),
    ],
    ids=[
        "high s",
        "r 0",
        "s 0",
        "r n",
        "s > n",
        "v 0",
        "v 1",
        "v 29",
        "v 255",
        "r < 0",
        "s < 0",
        "r is no x",
    ],
)
def test_recover_address__not_canonical__refused(r: int, s: int, v: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        recover_address(DIGEST, r, s, v)
    assert caught.value.code == INVALID_SIGNATURE
