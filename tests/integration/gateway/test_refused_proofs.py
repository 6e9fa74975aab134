"""Proofs that do not hold: the verdict is the answer, the quota comes back, the nonce stays used."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import Proof, Submitter, pay, risc0, sp1, submitter
from tests.sp1_digest import BLAKE3_OF_FIB_A, committed_by

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def _saved_by(version: bytes) -> bytes:
    """As the SDK of that version ends its file."""
    return sp1().proof[:400] + len(version).to_bytes(8, "little") + version + b"\0"


# What such files are shows without a verifier.
FOREIGN = {
    "json": b'{"proof": [1, 2, 3]}' * 400,
    "hex-text": b"0x" + sp1().proof[:4_000].hex().encode(),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(5_000),
    "elf": b"\x7fELF" + bytes(5_000),
    "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
}


BAD: dict[str, tuple[Proof, str | None]] = {
    **{f"sp1-{kind}": (replace(sp1(), proof=data), "malformed_proof") for kind, data in FOREIGN.items()},
    **{f"risc0-{kind}": (replace(risc0(), proof=data), "malformed_proof") for kind, data in FOREIGN.items()},
    "sp1-flipped": (replace(sp1(), proof=_flipped(sp1().proof, 400_000)), "invalid_proof"),
    "sp1-truncated": (replace(sp1(), proof=sp1().proof[:-1]), "malformed_proof"),
    "sp1-half": (replace(sp1(), proof=sp1().proof[:600_000]), "malformed_proof"),
    "sp1-trailing": (replace(sp1(), proof=sp1().proof + b"\0"), "malformed_proof"),
    "sp1-garbage": (replace(sp1(), proof=b"\xff" * 5_000), "malformed_proof"),
    "sp1-other-version": (replace(sp1(), proof=_saved_by(b"v5.0.0")), "unsupported_version"),
    "sp1-nul-in-version": (replace(sp1(), proof=_saved_by(b"v9\0")), "unsupported_version"),
    "sp1-one-byte": (replace(sp1(), proof=b"\x01"), "malformed_proof"),
    "sp1-wrong-key": (replace(sp1(), key=sp1("agg", "agg").key), "key_mismatch"),
    "sp1-other-values": (replace(sp1(), public_inputs=sp1("fib_b").public_inputs), "public_input_mismatch"),
    "sp1-no-values": (replace(sp1(), public_inputs=b""), "public_input_mismatch"),
    "sp1-blake3": (
        replace(sp1(), proof=committed_by(sp1().proof, sp1().public_inputs, BLAKE3_OF_FIB_A)),
        "unsupported_version",
    ),
    "sp1-is-a-receipt": (replace(sp1(), proof=risc0().proof), "unsupported_proof_kind"),
    "risc0-flipped": (replace(risc0(), proof=_flipped(risc0().proof, 100_000)), "invalid_proof"),
    "risc0-truncated": (replace(risc0(), proof=risc0().proof[:-1]), "malformed_proof"),
    "risc0-trailing": (replace(risc0(), proof=risc0().proof + b"\0"), "malformed_proof"),
    "risc0-wrong-image": (replace(risc0(), key=bytes(32)), "key_mismatch"),
    "risc0-other-journal": (replace(risc0(), public_inputs=b"other"), "public_input_mismatch"),
    "risc0-other-version": (risc0("fib5_20_composite"), None),
    "risc0-other-version-succinct": (risc0("fib5_20_succinct"), None),
    "risc0-fake": (replace(risc0(), proof=b"\x03\0\0\0" + risc0().proof[4:]), "fake_receipt"),
}


SEEN_AT_ONCE = {
    "sp1-other-version",
    "sp1-nul-in-version",
    "sp1-garbage",
    *(f"{system}-{kind}" for system in ("sp1", "risc0") for kind in FOREIGN),
}


@pytest.mark.parametrize("case", BAD)
async def test_submit__proof_does_not_hold__rejected_and_quota_given_back(
    gateway: Running, user: Submitter, case: str
) -> None:
    proof, code = BAD[case]
    before = gateway.objects()
    answer = await gateway.submit(user, proof, 0)
    problem = answer.json()
    assert answer.status_code == 422, problem
    if code is not None:
        assert problem["code"] == code
    if problem["code"] == "unsupported_proof_kind" or case in SEEN_AT_ONCE:
        assert (await gateway.quota(user), await gateway.nonce(user)) == (10, 0), "nothing was charged"
        assert (gateway.objects(), gateway.spooled()) == (before, [])
        return
    receipt = (await gateway.get(f"/v1/proofs/{problem['id']}")).json()
    assert receipt["state"] == "rejected"
    assert receipt["reject"] == {"code": problem["code"], "reason": problem["detail"]}
    assert (await gateway.quota(user), await gateway.nonce(user)) == (10, 1)
    assert gateway.objects() == before
    assert gateway.spooled() == []


async def test_submit__replayed_after_rejection__nonce_is_used(gateway: Running, user: Submitter) -> None:
    proof, _code = BAD["risc0-flipped"]
    deadline_s = int(time.time()) + 600
    assert (await gateway.submit(user, proof, 0, deadline_s=deadline_s)).status_code == 422
    replayed = await gateway.submit(user, proof, 0, deadline_s=deadline_s)
    assert (replayed.status_code, replayed.json()["code"]) == (409, "nonce_used")
    assert replayed.json()["expected"] == 1


async def test_submit__signature_replayed_with_another_proof__refused(
    gateway: Running, user: Submitter
) -> None:
    deadline_s = int(time.time()) + 600
    signature = user.sign(risc0(), 0, deadline_s)
    assert (
        await gateway.submit(user, risc0(), 0, deadline_s=deadline_s, signature=signature)
    ).status_code == 201
    other = risc0("fib3_30_composite")
    for proof in (other, replace(risc0(), public_inputs=b"")):
        answer = await gateway.submit(user, proof, 0, deadline_s=deadline_s, signature=signature)
        # It recovers to somebody who never paid.
        assert (answer.status_code, answer.json()["code"]) == (402, "payment_required")
    assert (await gateway.quota(user), await gateway.nonce(user)) == (9, 1)


async def test_submit__rejected_proof_then_valid_one__goes_on_with_the_next_nonce(
    gateway: Running, user: Submitter
) -> None:
    assert (await gateway.submit(user, BAD["risc0-flipped"][0], 0)).status_code == 422
    assert (await gateway.submit(user, risc0(), 1)).status_code == 201
    assert await gateway.quota(user) == 9


async def test_submit__rejected_proof_sent_again_with_a_new_nonce__is_verified_again(
    gateway: Running, user: Submitter
) -> None:
    ids = {(await gateway.submit(user, BAD["risc0-flipped"][0], nonce)).json()["id"] for nonce in range(2)}
    assert len(ids) == 2
    assert (await gateway.quota(user), await gateway.nonce(user)) == (10, 2)


async def test_submit__same_proof_again__same_receipt_and_no_charge(
    gateway: Running, user: Submitter
) -> None:
    first = await gateway.submit(user, risc0(), 0)
    for nonce in (0, 1, 7):
        again = await gateway.submit(user, risc0(), nonce)
        assert (again.status_code, again.json()) == (200, first.json())
    assert (await gateway.quota(user), await gateway.nonce(user)) == (9, 1)


async def test_submit__same_proof_of_another_account__is_its_own(gateway: Running, user: Submitter) -> None:
    other = submitter(1)
    await pay(gateway.db, other.address)
    ids = {(await gateway.submit(account, risc0(), 0)).json()["id"] for account in (user, other)}
    assert len(ids) == 2
    assert [await gateway.quota(account) for account in (user, other)] == [9, 9]


async def test_submit__same_proof_with_quota_used_up__still_returns_the_receipt(gateway: Running) -> None:
    poor = submitter(2)
    await pay(gateway.db, poor.address, proofs=1)
    first = await gateway.submit(poor, risc0(), 0)
    again = await gateway.submit(poor, risc0(), 1)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    other = await gateway.submit(poor, risc0("fib3_30_composite"), 1)
    assert (other.status_code, other.json()["code"]) == (402, "quota_exhausted")
    assert await gateway.nonce(poor) == 1


@pytest.mark.parametrize(
    "time_s", [{"valid_until_s": 0}, {"valid_from_s": 3_000, "valid_until_s": 4_000}], ids=["over", "to-come"]
)
async def test_submit__payment_not_in_its_time__refused(gateway: Running, time_s: dict[str, int]) -> None:
    payer = submitter(3 + len(time_s))
    now_s = int(time.time())
    await pay(gateway.db, payer.address, **{name: now_s + offset for name, offset in time_s.items()})
    answer = await gateway.submit(payer, risc0(), 0)
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_required")


async def test_submit__several_payments__the_one_that_ends_first_is_used_first(
    gateway: Running, user: Submitter
) -> None:
    now_s = int(time.time())
    await pay(gateway.db, user.address, proofs=1, valid_until_s=now_s + 100)
    await gateway.submit(user, risc0(), 0)
    await gateway.submit(user, sp1(), 1)
    rows = (await gateway.get(f"/v1/accounts/{user.hex}/quota")).json()["rows"]
    assert [(row["proofs"], row["used"]) for row in rows] == [(1, 1), (10, 1)]


async def test_submit__another_version_found_by_the_verifier__costs_no_rate(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[bytes] = []
    monkeypatch.setattr(gateway.gateway._gate, "count_rejection", counted.append)
    answer = await gateway.submit(user, risc0("fib5_20_composite"), 0)
    assert answer.json()["code"] == "unsupported_version"
    assert counted == []
    answer = await gateway.submit(user, replace(risc0(), public_inputs=b"other"), 1)
    assert answer.json()["code"] == "public_input_mismatch"
    assert counted == [user.address]
