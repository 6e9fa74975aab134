"""Requests that are refused before anything is charged or stored, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from aligned.core.signing import SECP256K1_ORDER
from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import Proof, Submitter, post, risc0, sp1, submitter

pytestmark = pytest.mark.asyncio(loop_scope="module")
SMALL = risc0()


async def _is_refused(
    gateway: Running, user: Submitter, answer: httpx.Response, status: int, code: str
) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await gateway.quota(user), await gateway.nonce(user)) == (10, 0)
    assert gateway.objects() == []
    assert gateway.spooled() == []


def _changed(user: Submitter, **texts: str | None) -> dict[str, Any]:
    form = user.form(SMALL, 0)
    form["data"] = {name: text for name, text in (form["data"] | texts).items() if text is not None}
    return form


@pytest.mark.parametrize(
    ("texts", "status", "code"),
    [
        ({"system": "zisk"}, 415, "unsupported_system"),
        ({"system": ""}, 415, "unsupported_system"),
        ({"system": "SP1"}, 415, "unsupported_system"),
        ({"system": None}, 400, "parts_out_of_order"),
        ({"nonce": None}, 400, "parts_out_of_order"),
        ({"nonce": "-1"}, 400, "malformed_message"),
        ({"nonce": "0x0"}, 400, "malformed_message"),
        ({"nonce": "00"}, 400, "malformed_message"),
        ({"nonce": "1e3"}, 400, "malformed_message"),
        ({"nonce": " 0"}, 400, "malformed_message"),
        ({"nonce": "0\n"}, 400, "malformed_message"),
        ({"nonce": "٠"}, 400, "malformed_message"),
        ({"nonce": str(2**63)}, 400, "malformed_message"),
        ({"nonce": "9" * 200}, 400, "malformed_message"),
        ({"nonce": "0'; DROP TABLE proofs; --"}, 400, "malformed_message"),
        ({"nonce": "9" * 300}, 413, "body_too_large"),
        ({"deadline": "soon"}, 400, "malformed_message"),
        ({"deadline": "\x00"}, 400, "malformed_message"),
        ({"signature": "0x"}, 400, "malformed_message"),
        ({"signature": "0x" + "zz" * 65}, 400, "malformed_message"),
        ({"signature": "ab" * 65}, 400, "malformed_message"),
        ({"signature": "0x" + "00" * 65}, 401, "bad_signature"),
        ({"signature": "0x" + "ff" * 65}, 401, "bad_signature"),
        ({"address": "0x12"}, 400, "malformed_message"),
        ({"proof_hash": "0x" + "zz" * 32}, 400, "malformed_message"),
        ({"key_hash": "0x12"}, 400, "malformed_message"),
        ({"public_input_hash": None}, 400, "parts_out_of_order"),
        ({"extra": "1"}, 400, "malformed_message"),
    ],
    ids=str,
)
async def test_submit__wrong_text__refused(
    gateway: Running, user: Submitter, texts: dict[str, str | None], status: int, code: str
) -> None:
    await _is_refused(gateway, user, await post(gateway.url, _changed(user, **texts)), status, code)


@pytest.mark.parametrize("missing", ["proof", "key", "public_inputs"])
async def test_submit__file_missing__refused(gateway: Running, user: Submitter, missing: str) -> None:
    form = user.form(SMALL, 0)
    del form["files"][missing]
    await _is_refused(gateway, user, await post(gateway.url, form), 400, "malformed_message")


async def test_submit__part_twice__refused(gateway: Running, user: Submitter) -> None:
    form = user.form(SMALL, 0)
    form["files"] = [*form["files"].items(), ("proof", ("other.bin", b"other"))]
    await _is_refused(gateway, user, await post(gateway.url, form), 400, "malformed_message")


async def test_submit__empty_proof__refused(gateway: Running, user: Submitter) -> None:
    answer = await gateway.submit(user, replace(SMALL, proof=b""), 0)
    await _is_refused(gateway, user, answer, 422, "empty_proof")


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        (replace(sp1(), key=bytes(32)), "malformed_key"),
        (replace(sp1(), key=sp1().key.hex().encode()), "malformed_key"),
        (replace(sp1(), key=sp1().key + b"\0"), "malformed_key"),
        (replace(sp1(), key=sp1().key[:-1]), "malformed_key"),
        (replace(sp1(), key=b"\xff" * 104), "malformed_key"),
        (replace(sp1(), key=b""), "malformed_key"),
        (replace(sp1(), key=b"\x7fELF" + bytes(100)), "key_is_elf"),
        (replace(risc0(), key=sp1().key), "malformed_key"),
        (replace(risc0(), key=b"R0BF" + bytes(28)), "key_is_elf"),
        (replace(sp1(), proof=b"\x00\0\0\0" + sp1().proof[4:]), "unsupported_proof_kind"),
        (replace(sp1(), proof=b"\x02\0\0\0" + sp1().proof[4:]), "unsupported_proof_kind"),
        (replace(sp1(), proof=b"\x03\0\0\0" + sp1().proof[4:]), "unsupported_proof_kind"),
        (replace(sp1(), proof=bytes.fromhex("4388a21c") + bytes(352)), "unsupported_proof_kind"),
        (risc0("groth16_v3"), "unsupported_proof_kind"),
    ],
    ids=[
        "key-hash", "key-hex", "key-long", "key-short", "key-not-canonical", "key-empty", "key-elf", "sp1-for-risc0",
        "risc0-elf", "core", "plonk", "groth16", "on-chain-groth16", "risc0-groth16",
    ],
)  # fmt: skip
async def test_submit__wrong_key_or_kind__refused_without_charge(
    gateway: Running, user: Submitter, proof: Proof, code: str
) -> None:
    await _is_refused(gateway, user, await gateway.submit(user, proof, 0), 422, code)


async def test_submit__sp1_key_with_words_beyond_the_field__refused(
    gateway: Running, user: Submitter
) -> None:
    key = bytearray(sp1().key)
    key[-4:] = (int.from_bytes(key[-4:], "little") + 0x7F000001).to_bytes(4, "little")
    answer = await gateway.submit(user, replace(sp1(), key=bytes(key)), 0)
    await _is_refused(gateway, user, answer, 422, "malformed_key")


async def test_submit__deadline_passed__refused(gateway: Running, user: Submitter) -> None:
    answer = await gateway.submit(user, SMALL, 0, deadline_s=int(time.time()) - 1)
    await _is_refused(gateway, user, answer, 401, "expired_deadline")


@pytest.mark.parametrize("named", [True, False], ids=["address-named", "address-not-named"])
@pytest.mark.parametrize(
    "elsewhere", [{"chain_id": 1}, {"payment_service": bytes(20)}], ids=["chain", "contract"]
)
async def test_submit__signed_for_another_place__refused(
    gateway: Running, user: Submitter, elsewhere: dict[str, Any], named: bool
) -> None:
    form = replace(user, **elsewhere).form(SMALL, 0)
    if named:
        form["data"]["address"] = user.hex
    expected = (401, "bad_signature") if named else (402, "payment_required")
    await _is_refused(gateway, user, await post(gateway.url, form), *expected)


def _wrong_signatures(user: Submitter, deadline_s: int) -> Iterator[bytes]:
    good = user.sign(SMALL, 0, deadline_s)
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    yield r + (SECP256K1_ORDER - s).to_bytes(32, "big") + bytes([55 - v])  # the same signature with high s
    yield good[:64] + bytes([v - 27])
    yield good[:64] + bytes([v + 4])
    yield bytes(32) + good[32:]


@pytest.mark.parametrize("number", range(4), ids=["high-s", "v-0-or-1", "v-31-or-32", "r-zero"])
async def test_submit__malleable_signature__refused(gateway: Running, user: Submitter, number: int) -> None:
    deadline_s = int(time.time()) + 600
    signature = list(_wrong_signatures(user, deadline_s))[number]
    answer = await gateway.submit(user, SMALL, 0, deadline_s=deadline_s, signature=signature)
    await _is_refused(gateway, user, answer, 401, "bad_signature")


@pytest.mark.parametrize("part", ["proof", "key", "public_inputs", "nonce", "deadline"])
async def test_submit__something_else_than_was_signed__refused(
    gateway: Running, user: Submitter, part: str
) -> None:
    form = user.form(sp1(), 0)
    other = Submitter(user.private_key).form(sp1("fib_b"), 1, deadline_s=int(time.time()) + 601)
    form["data"]["address"] = user.hex
    if part == "key":
        form["files"]["key"] = ("key.bin", sp1("agg", "agg").key)
    elif part in form["files"]:
        form["files"][part] = other["files"][part]
    else:
        form["data"][part] = other["data"][part]
    await _is_refused(gateway, user, await post(gateway.url, form), 401, "bad_signature")


async def test_submit__never_paid__refused(gateway: Running, user: Submitter) -> None:
    stranger = submitter(77)
    answer = await gateway.submit(stranger, SMALL, 0)
    await _is_refused(gateway, user, answer, 402, "payment_required")
    async with gateway.db.transaction() as conn:
        row = await (await conn.execute("SELECT count(*) AS n FROM accounts")).fetchone()
    assert row == {"n": 0}, "a stranger makes no row"


async def test_submit__gap_in_the_nonces__refused(gateway: Running, user: Submitter) -> None:
    answer = await gateway.submit(user, SMALL, 1)
    assert answer.json()["expected"] == 0
    await _is_refused(gateway, user, answer, 409, "nonce_gap")
