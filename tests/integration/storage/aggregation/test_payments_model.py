"""Payments, submissions, verdicts and reorganisations in any order: the books stay right."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import accounts, chunks, queue, submissions
from aligned.storage.aggregation.accounts import Now
from aligned.storage.aggregation.payments import Payment
from aligned.storage.aggregation.submissions import Submission
from aligned.storage.postgres import Database
from tests.integration.storage.aggregation.rows import ALICE, BOB, orphan_from, payment, query, record

STEPS = 150
NOW = Now(0, 2**40)
SYSTEM = AggregationSystem.SP1
# A proof counts on its quota unless it was rejected.
_COUNTED = """
SELECT quotas.id, quotas.used, count(proofs.id) FILTER (WHERE proofs.state <> 'rejected') AS proofs
FROM quotas LEFT JOIN proofs ON proofs.quota_id = quotas.id GROUP BY quotas.id
"""
_UNPAID_WITH_ROOM = """
SELECT proofs.id FROM proofs JOIN quotas ON quotas.address = proofs.address
WHERE proofs.id = %s AND proofs.state = 'unpaid' AND NOT quotas.orphaned AND quotas.used < quotas.proofs
"""
_WAITING = """
SELECT proofs.state, quotas.orphaned, quotas.address = proofs.address AS own
FROM proofs JOIN quotas ON quotas.id = proofs.quota_id WHERE proofs.state IN ('pending', 'unpaid')
"""


class World:
    """A chain of payments, and what gateway and aggregator do meanwhile."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db = db
        self.random = random.Random(seed)
        self.head = 1
        self.mined: list[Payment] = []
        self.vanished: list[Payment] = []
        self.number = 0

    async def pay(self) -> None:
        """A new payment in the next block."""
        self.number += 1
        self.head += 1
        address = self.random.choice((ALICE, BOB))
        made = payment(self.number, address=address, proofs=self.random.randint(1, 4), block_number=self.head)
        self.mined.append(made)
        await record(self.db, made)

    async def reorganise(self) -> None:
        """Blocks from somewhere on are gone."""
        fork = self.random.randint(max(1, self.head - 3), self.head)
        self.vanished += [item for item in self.mined if item.block_number >= fork]
        self.mined = [item for item in self.mined if item.block_number < fork]
        self.head = fork - 1
        await orphan_from(self.db, fork)

    async def mine_again(self) -> None:
        """A vanished payment is back in the next block, at another place in it."""
        if self.vanished:
            self.head += 1
            item = self.vanished.pop(self.random.randrange(len(self.vanished)))
            again = replace(item, block_number=self.head, log_index=self.random.randint(0, 9))
            self.mined.append(again)
            await record(self.db, again)

    async def read_twice(self) -> None:
        """The same events come again."""
        await record(self.db, *self.random.sample(self.mined, min(2, len(self.mined))))

    async def submit(self) -> None:
        """A proof, if there is quota."""
        address = self.random.choice((ALICE, BOB))
        async with self.db.transaction() as conn:
            await submissions.open_account(conn, address)
            nonce = await accounts.next_nonce(conn, address)
            await submissions.reserve(conn, _submission(address, nonce), NOW, 30)

    async def judge(self) -> None:
        """A verdict on a proof that has none."""
        rows = await query(self.db, "SELECT id FROM proofs WHERE state = 'verifying' ORDER BY number LIMIT 1")
        async with self.db.transaction() as conn:
            for row in rows:
                if self.random.random() >= 0.7:
                    await submissions.reject(conn, row["id"], "invalid_proof", "bad")
                elif not await submissions.accept(conn, row["id"]):
                    await submissions.accept_orphaned(conn, row["id"])
        for row in rows:
            assert await query(self.db, _UNPAID_WITH_ROOM, row["id"]) == []

    async def prove(self) -> None:
        """The aggregator takes a proof."""
        async with self.db.transaction() as conn:
            taken = await queue.claim(conn, SYSTEM, 1)
            if taken:
                await chunks.create(conn, SYSTEM, "native", bytes(32), [taken[0].id])

    async def check(self) -> None:
        """Used is what was submitted; who waits for a prover has paid; the chain's payments and no others count."""
        for row in await query(self.db, _COUNTED):
            assert row["used"] == row["proofs"], row
        for row in await query(self.db, _WAITING):
            assert row["own"]
            assert (row["state"] == "unpaid") == row["orphaned"], row
        alive = await query(
            self.db, "SELECT tx_hash FROM quotas JOIN payments ON payments.id = payment_id WHERE NOT orphaned"
        )
        assert sorted(row["tx_hash"] for row in alive) == sorted(item.tx_hash for item in self.mined)


@pytest.mark.parametrize("seed", range(4))
async def test_books__any_order_of_events__stay_right(db: Database, seed: int) -> None:
    world = World(db, seed)
    steps = (
        world.pay,
        world.reorganise,
        world.mine_again,
        world.read_twice,
        world.submit,
        world.judge,
        world.prove,
    )
    for _ in range(STEPS):
        await world.random.choices(steps, (4, 2, 3, 1, 8, 7, 2))[0]()
        await world.check()
    [row] = await query(
        db,
        "SELECT count(*) AS proofs, count(DISTINCT state) AS states, (SELECT count(*) FROM quotas) AS quotas"
        " FROM proofs",
    )
    # It was not a world in which nothing happens.
    assert row["proofs"] > 10
    assert row["states"] > 2
    assert row["quotas"] > 5


def _submission(address: bytes, nonce: int) -> Submission:
    proof_id = uuid.uuid4()
    word = proof_id.bytes * 2
    return Submission(
        id=proof_id,
        address=address,
        nonce=nonce,
        deadline_s=2**40,
        signature=bytes(65),
        system=SYSTEM,
        program_id=word,
        commitment=word,
        leaf=word,
        proof_hash=word,
        key_hash=word,
        public_input_hash=word,
        proof_object="object",
        program_key=b"key",
        public_inputs=b"",
        size_bytes=1,
    )
