"""Proofs that cannot be proved are found and rejected, and nothing else is."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest

from aligned.storage.aggregation import payments
from aligned.storage.aggregation.payments import Payment
from tests.integration.proof_aggregator.harness import Parts


async def rejected(parts: Parts) -> list[tuple[int, str]]:
    rows = await parts.rows(
        "SELECT id, number, reject_code FROM proofs WHERE state = 'rejected' ORDER BY number"
    )
    return [(row["number"], row["reject_code"]) for row in rows]


@pytest.mark.parametrize("names_culprits", [True, False])
@pytest.mark.parametrize("place", [0, 5, 7])
async def test_poison__one_of_eight__is_rejected_and_the_rest_goes_on_chain(
    parts: Parts, names_culprits: bool, place: int
) -> None:
    parts.engine.names_culprits = names_culprits
    await parts.add(place)
    await parts.add(1, b"bad")
    await parts.add(7 - place)
    await parts.plan(chunk_proofs=8)
    await parts.prove_chunks()
    await parts.plan(chunk_proofs=8)
    await parts.prove_final()
    await parts.publish_until_settled()
    states = ["mined"] * 8
    states[place] = "rejected"
    assert await parts.states() == states
    assert await rejected(parts) == [(place + 1, "invalid_proof")]
    (row,) = await parts.rows("SELECT reject_reason, proof_object FROM proofs WHERE state = 'rejected'")
    assert row["reject_reason"] == "does not verify"
    assert not (parts.context.input_dir.parent / "store" / row["proof_object"]).exists()
    indices = await parts.rows("SELECT leaf_index FROM proofs WHERE state = 'mined' ORDER BY leaf_index")
    assert [found["leaf_index"] for found in indices] == list(range(7))


async def test_poison__prover_dies_on_it__is_halved_out(parts: Parts) -> None:
    await parts.add(3)
    await parts.add(1, b"crash")
    await parts.plan()
    await parts.prove_chunks()
    assert await parts.states() == ["proving"] * 3 + ["rejected"]
    assert await rejected(parts) == [(4, "unprovable")]
    assert parts.engine.jobs[:2] == [4, 4]


async def test_poison__only_proof_there_is__waits_until_the_engine_has_shown_that_it_works(
    parts: Parts,
) -> None:
    from aligned.proof_aggregator.chunk_prover import ChunkProver

    await parts.add(1, b"crash")
    await parts.plan()
    prover = ChunkProver(parts.context)
    for _ in range(6):
        await parts.rows("UPDATE chunks SET next_try_at = now() RETURNING id")
        assert await prover.step()
    assert await parts.states() == ["proving"]
    await parts.add(4)
    await parts.plan()
    await parts.prove_chunks()
    assert await parts.states() == ["rejected"] + ["proving"] * 4


async def test_outage__engine_does_not_start__nothing_is_rejected_or_split(parts: Parts) -> None:
    from aligned.proof_aggregator.chunk_prover import ChunkProver

    await parts.add(4)
    await parts.plan()
    parts.engine.down = True
    prover = ChunkProver(parts.context)
    for _ in range(10):
        await parts.rows("UPDATE chunks SET next_try_at = now() RETURNING id")
        assert await prover.step()
    (chunk,) = await parts.rows("SELECT state, attempts, last_error FROM chunks")
    assert (chunk["state"], chunk["attempts"]) == ("proving", 0)
    assert "prover_start" in chunk["last_error"]
    parts.engine.down = False
    await parts.prove_chunks()
    assert await parts.states() == ["proving"] * 4


async def test_engine__calls_every_proof_bad__is_not_believed_for_long(parts: Parts) -> None:
    from aligned.proof_aggregator.chunk_prover import ChunkProver

    await parts.add(20, b"bad")
    await parts.plan(chunk_proofs=1)
    prover = ChunkProver(parts.context)
    for _ in range(60):
        await prover.step()
    assert len(await rejected(parts)) == 8


async def test_rejected__paid_proof__quota_is_given_back(parts: Parts) -> None:
    address = os.urandom(20)
    await parts.add(1, b"bad")
    async with parts.db.transaction() as conn:
        await payments.record(conn, [payment(address)])
        await conn.execute(
            "UPDATE proofs SET source = 'gateway', batch_root = NULL, batch_index = NULL, address = %s, nonce = 0,"
            " quota_id = (SELECT id FROM quotas), signature = %s, deadline_s = 1",
            (address, b"\1" * 65),
        )
        await conn.execute("UPDATE quotas SET used = 3")
    await parts.plan()
    await parts.prove_chunks()
    assert await parts.states() == ["rejected"]
    assert (await parts.rows("SELECT used FROM quotas"))[0]["used"] == 2


def payment(address: bytes) -> Payment:
    return Payment(
        tx_hash=uuid4().bytes * 2,
        event_index=0,
        log_index=0,
        kind="payment",
        address=address,
        payer=address,
        amount_wei=1,
        block_number=1,
        block_hash=b"\1" * 32,
        proofs=10,
        valid_from_s=0,
        valid_until_s=2**40,
    )
