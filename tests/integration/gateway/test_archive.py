"""Roots on chain that were revoked. Each test has proofs of its own, as they make the root."""

from __future__ import annotations

import pytest

from aligned.storage.aggregation import setbacks
from aligned.storage.postgres import Database
from tests.integration.gateway.aggregated import aggregate
from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import Proof, Submitter, risc0, sp1

pytestmark = pytest.mark.asyncio(loop_scope="module")
REASON = "the guardian revoked its root"


async def _submit(gateway: Running, user: Submitter, *proofs: Proof, first_nonce: int = 0) -> list[str]:
    answers = [await gateway.submit(user, proof, nonce) for nonce, proof in enumerate(proofs, first_nonce)]
    return [answer.json()["id"] for answer in answers]


async def _revoke(db: Database, root: bytes) -> None:
    async with db.transaction() as conn:
        assert await setbacks.revoked(conn, root, REASON)


def _path(root: bytes) -> str:
    return f"/v1/aggregations/0x{root.hex()}"


async def test_aggregation__revoked__shown_as_failed_with_its_leaves(
    gateway: Running, user: Submitter
) -> None:
    ids = await _submit(gateway, user, risc0(), risc0("fib3_30_composite"))
    made = await aggregate(gateway.db, ids, state="final")
    path = _path(made["root"])
    before = (await gateway.get(path)).json()
    await _revoke(gateway.db, made["root"])
    shown = (await gateway.get(path)).json()
    changing = ("state", "history", "updated_at")
    assert {k: v for k, v in shown.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert (shown["state"], shown["history"][-1]["detail"]) == ("failed", REASON)
    assert (await gateway.get(path + "/leaves")).content == b"".join(made["commitments"])
    listed = (await gateway.get("/v1/aggregations")).json()["aggregations"]
    assert shown["root"] not in [each["root"] for each in listed]


async def test_aggregation__failed_for_another_reason__unknown(gateway: Running, user: Submitter) -> None:
    ids = await _submit(gateway, user, sp1())
    made = await aggregate(gateway.db, ids, state="submitted")
    async with gateway.db.transaction() as conn:
        await conn.execute("UPDATE aggregations SET state = 'failed' WHERE root = %s", (made["root"],))
    for path in (_path(made["root"]), _path(made["root"]) + "/leaves"):
        answer = await gateway.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_aggregation")


async def test_aggregation__made_again_after_it_was_revoked__the_new_one_is_shown(
    gateway: Running, user: Submitter
) -> None:
    made = await aggregate(gateway.db, await _submit(gateway, user, sp1("fib_b")))
    await _revoke(gateway.db, made["root"])
    again = await aggregate(gateway.db, await _submit(gateway, user, sp1("fib_b"), first_nonce=1))
    assert again["root"] == made["root"]
    shown = (await gateway.get(_path(made["root"]))).json()
    assert (shown["state"], shown["tx_hash"]) == ("mined", again["word"])
