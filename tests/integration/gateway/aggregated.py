"""Aggregations in the database without a proof aggregator."""

from __future__ import annotations

import uuid
from typing import Any

from aligned.core.aggregation import AggregationSystem, tree_of
from aligned.storage.postgres import Database


async def aggregate(db: Database, proof_ids: list[str], state: str = "mined") -> dict[str, Any]:
    """As the proof aggregator leaves an aggregation of these proofs."""
    async with db.transaction() as conn:
        found = await conn.execute(
            "SELECT id, system, commitment FROM proofs WHERE id = ANY(%s) ORDER BY number", (proof_ids,)
        )
        rows = await found.fetchall()
        tree = tree_of(AggregationSystem(rows[0]["system"]), [row["commitment"] for row in rows])
        word = uuid.uuid4().bytes * 2
        made = await conn.execute(
            """
            INSERT INTO aggregations (system, level, state, root, leaf_count, program_id, public_values, proof,
                                      not_proved, tx_hash, block_number, block_hash)
            VALUES (%s, 'native', %s, %s, %s, %s, 'v', 'p', 'everything', %s, 7, %s) RETURNING id
            """,
            (rows[0]["system"], state, tree.root, len(rows), word, word, word),
        )
        aggregation = await made.fetchone()
        assert aggregation is not None
        await conn.execute(
            "INSERT INTO blobs (aggregation_id, position, versioned_hash, kzg_commitment) VALUES (%s, 0, %s, %s)",
            (aggregation["id"], word, word + bytes(16)),
        )
        for index, row in enumerate(rows):
            await conn.execute(
                "UPDATE proofs SET state = %s, aggregation_id = %s, leaf_index = %s, path = %s WHERE id = %s",
                (state, aggregation["id"], index, tree.path(index), row["id"]),
            )
    return {"root": tree.root, "word": "0x" + word.hex(), "commitments": [row["commitment"] for row in rows]}
