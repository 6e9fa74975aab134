"""Stored proofs that are gone or damaged are our fault: said so, given back, and no reason to stop the others."""

from __future__ import annotations

import os
from uuid import UUID

import pytest

from aligned.core.errors import DependencyError
from aligned.proof_aggregator.chunk_prover import ChunkProver
from aligned.storage.aggregation import payments
from tests.integration.proof_aggregator.harness import Parts
from tests.integration.proof_aggregator.test_poison import payment


async def damage(parts: Parts, proof_id: UUID, kind: str) -> None:
    """What can become of an object."""
    store, key = parts.context.store, proof_id.hex
    if kind == "missing":
        await store.delete(key)
        return
    proof = await store.get(key, 1 << 20)
    changed = {
        "flipped": bytes([proof[0] ^ 1]) + proof[1:],
        "cut": proof[:-1],
        "longer": proof + b"x",
        "empty": b"",
    }
    await store.put(key, changed[kind])


async def verdicts(parts: Parts) -> list[str | None]:
    rows = await parts.rows("SELECT reject_code FROM proofs ORDER BY number")
    return [row["reject_code"] for row in rows]


async def try_chunks(parts: Parts, times: int) -> None:
    prover = ChunkProver(parts.context)
    for _ in range(times):
        await parts.rows("UPDATE chunks SET next_try_at = now() WHERE state = 'proving' RETURNING id")
        await prover.step()


def seen(parts: Parts, kind: str) -> float | None:
    name = "aligned_proof_aggregator_store_damaged_total"
    return parts.context.metrics.registry.get_sample_value(name, {"kind": kind})


@pytest.mark.parametrize("kind", ["flipped", "cut", "longer", "empty", "missing"])
async def test_lost__some_of_a_chunk__said_so_at_once_and_the_others_are_proved_once(
    parts: Parts, kind: str
) -> None:
    ids = await parts.add(4)
    for place in (0, 2):
        await damage(parts, ids[place], kind)
    await parts.plan()
    await parts.prove_chunks()
    assert await verdicts(parts) == ["proof_lost", None, "proof_lost", None]
    (row,) = await parts.rows("SELECT DISTINCT reject_reason FROM proofs WHERE state = 'rejected'")
    assert "our copy of the proof is" in row["reject_reason"]
    assert "send it again" in row["reject_reason"]
    # No halving, and nothing is proved that has to be proved again.
    assert parts.engine.jobs == [2]
    assert seen(parts, "missing" if kind == "missing" else "damaged") == 2
    await parts.plan()
    await parts.prove_final()
    await parts.publish_until_settled()
    assert await parts.states() == ["rejected", "mined", "rejected", "mined"]


async def test_lost__only_proof_of_its_chunk_is_damaged__rejected_and_never_called_invalid(
    parts: Parts,
) -> None:
    (proof_id,) = await parts.add(1)
    await damage(parts, proof_id, "flipped")
    await parts.plan()
    await parts.prove_chunks()
    assert (await verdicts(parts), parts.engine.jobs) == (["proof_lost"], [])


async def test_lost__only_proof_of_its_chunk_is_missing__looked_for_again_first(parts: Parts) -> None:
    (proof_id,) = await parts.add(1)
    proof = await parts.context.store.get(proof_id.hex, 1 << 20)
    await damage(parts, proof_id, "missing")
    await parts.plan()
    await try_chunks(parts, 1)
    assert (await parts.states(), await verdicts(parts)) == (["proving"], [None])
    await parts.context.store.put(proof_id.hex, proof)
    await parts.prove_chunks()
    assert (parts.engine.jobs, await verdicts(parts)) == ([1], [None])


async def test_lost__whole_store_is_gone__few_are_rejected_and_the_rest_waits_for_it(parts: Parts) -> None:
    """A folder that is not mounted is no reason to tell thousands of users that their proofs are lost."""
    ids = await parts.add(20)
    kept = {proof_id: await parts.context.store.get(proof_id.hex, 1 << 20) for proof_id in ids}
    for proof_id in ids:
        await damage(parts, proof_id, "missing")
    await parts.plan(chunk_proofs=20)
    await try_chunks(parts, 200)
    rejected = [verdict for verdict in await verdicts(parts) if verdict]
    assert rejected == ["proof_lost"] * 8
    for proof_id, proof in kept.items():
        await parts.context.store.put(proof_id.hex, proof)
    await parts.prove_chunks()
    assert sum(parts.engine.jobs) == 12


async def test_lost__store_does_not_answer__waits(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object) -> bytes:
        raise DependencyError("store_unavailable", "no answer")

    await parts.add(2)
    await parts.plan()
    with monkeypatch.context() as outage:
        outage.setattr(parts.context.store, "get", down)
        await try_chunks(parts, 10)
    assert (await parts.states(), seen(parts, "missing")) == (["proving"] * 2, None)
    await parts.prove_chunks()
    assert parts.engine.jobs == [2]


async def test_lost__larger_than_the_settings_allow__waits_and_is_not_lost(parts: Parts) -> None:
    await parts.add(1, b"x" * (1 << 20))
    await parts.plan()
    await try_chunks(parts, 5)
    (chunk,) = await parts.rows("SELECT last_error, attempts FROM chunks")
    assert ("object_too_large" in chunk["last_error"], chunk["attempts"]) == (True, 0)
    assert await parts.states() == ["proving"]


async def test_lost__paid_proofs_of_two_accounts__quota_of_each_is_given_back(parts: Parts) -> None:
    ids = await parts.add(3)
    accounts = [os.urandom(20), os.urandom(20)]
    async with parts.db.transaction() as conn:
        for number, address in enumerate(accounts):
            await payments.record(conn, [payment(address)])
            await conn.execute(
                "UPDATE proofs SET source = 'gateway', batch_root = NULL, batch_index = NULL, address = %(address)s,"
                " nonce = 0, quota_id = (SELECT id FROM quotas WHERE address = %(address)s), signature = %(signature)s,"
                " deadline_s = 1 WHERE id = %(id)s",
                {"address": address, "signature": b"\1" * 65, "id": ids[number]},
            )
        await conn.execute("UPDATE quotas SET used = 3")
    for proof_id in ids[:2]:
        await damage(parts, proof_id, "cut")
    await parts.plan()
    await parts.prove_chunks()
    assert await verdicts(parts) == ["proof_lost", "proof_lost", None]
    assert [row["used"] for row in await parts.rows("SELECT used FROM quotas")] == [2, 2]
