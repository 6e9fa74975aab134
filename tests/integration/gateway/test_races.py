"""Requests at the same moment, at one gateway and at two: exactly one wins, and the books agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from aligned.storage.postgres import Database
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.submitter import Proof, Submitter, pay, risc0, sp1, submitter

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROOFS = [risc0(), risc0(suffix="receipt"), risc0("fib3_30_composite"), sp1(), sp1("fib_b")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(gateway: Running, db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    """Another gateway over the same database and store."""
    async with running_gateway(gateway_settings(database_url, folder), db) as running:
        yield running


async def _at_once(requests: list[tuple[Running, Submitter, Proof, int]]) -> list[httpx.Response]:
    return await asyncio.gather(
        *(gateway.submit(user, proof, nonce) for gateway, user, proof, nonce in requests)
    )


def _outcomes(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    return Counter((answer.status_code, answer.json().get("code", "")) for answer in answers)


async def _rows(db: Database, user: Submitter) -> list[tuple[int, str]]:
    async with db.transaction() as conn:
        found = await conn.execute(
            "SELECT nonce, state FROM proofs WHERE address = %s ORDER BY nonce", (user.address,)
        )
        return [(row["nonce"], row["state"]) for row in await found.fetchall()]


@pytest.mark.parametrize("gateways", [1, 2])
async def test_submit__two_proofs_with_one_nonce__one_wins(
    gateway: Running, second: Running, user: Submitter, gateways: int
) -> None:
    places = [gateway, second if gateways == 2 else gateway]
    requests = [(places[i % 2], user, proof, 0) for i, proof in enumerate(PROOFS[:4])]
    outcomes = _outcomes(await _at_once(requests))
    assert outcomes == {(201, ""): 1, (409, "nonce_used"): 3}
    assert await _rows(gateway.db, user) == [(0, "pending")]
    assert (await gateway.quota(user), await second.nonce(user)) == (9, 1)


@pytest.mark.parametrize("gateways", [1, 2])
async def test_submit__two_proofs_for_one_quota__one_wins(
    gateway: Running, second: Running, gateways: int
) -> None:
    poor = submitter(10 + gateways)
    await pay(gateway.db, poor.address, proofs=1)
    places = [gateway, second if gateways == 2 else gateway]
    for turn in range(2):
        requests = [(places[i % 2], poor, proof, turn) for i, proof in enumerate(PROOFS)]
        outcomes = _outcomes(await _at_once(requests))
        if turn == 0:
            assert outcomes[201, ""] == 1
            assert outcomes[409, "nonce_used"] + outcomes[402, "quota_exhausted"] == 4
        else:  # the winner of the first turn is known, all others have nothing to pay with
            assert outcomes == {(200, ""): 1, (402, "quota_exhausted"): 4}
    assert await _rows(gateway.db, poor) == [(0, "pending")]
    assert (await gateway.quota(poor), await gateway.nonce(poor)) == (0, 1)


async def test_submit__same_proof_many_times_at_once__one_row_and_one_charge(
    gateway: Running, second: Running, user: Submitter
) -> None:
    before = len(gateway.objects())
    answers = await _at_once([((gateway, second)[i % 2], user, sp1(), 0) for i in range(8)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 7}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert {answer.json()["state"] for answer in answers} == {"pending"}
    assert (await gateway.quota(user), await gateway.nonce(user)) == (9, 1)
    assert len(gateway.objects()) == before + 1
    assert gateway.spooled() == []


async def test_submit__same_bad_proof_at_once__all_learn_the_verdict(
    gateway: Running, second: Running, user: Submitter
) -> None:
    bad = Proof(sp1().system, sp1().proof, sp1().key, b"other values")
    answers = await _at_once([((gateway, second)[i % 2], user, bad, 0) for i in range(4)])
    outcomes = _outcomes(answers)
    # Who comes after the verdict finds its nonce used.
    assert outcomes[422, "public_input_mismatch"] + outcomes[409, "nonce_used"] == 4
    assert outcomes[422, "public_input_mismatch"] >= 1
    assert [state for _, state in await _rows(gateway.db, user)] == ["rejected"]
    assert (await gateway.quota(user), await gateway.nonce(user)) == (10, 1)
