"""50,000 proofs and payments, and a connection that tells how the server means to find its rows."""

from __future__ import annotations

from typing import Any

from aligned.storage.postgres import Connection, Database

# Hashes and addresses are numbers. 500 accounts have a payment and a proof in turn; account 7 has one of fifty.
# Of 100 proofs one waits for its verdict, two for a prover, the others are on chain.
_FILL = """
CREATE FUNCTION pg_temp.hash(n bigint) RETURNS bytea IMMUTABLE LANGUAGE sql
    AS $$ SELECT decode(lpad(to_hex(n), 64, '0'), 'hex') $$;
CREATE FUNCTION pg_temp.account(n bigint) RETURNS bytea IMMUTABLE LANGUAGE sql
    AS $$ SELECT decode(lpad(to_hex(CASE WHEN n % 50 = 1 THEN 7 ELSE n % 500 END), 40, '0'), 'hex') $$;
CREATE FUNCTION pg_temp.zeros(n integer) RETURNS bytea IMMUTABLE LANGUAGE sql
    AS $$ SELECT decode(repeat('00', n), 'hex') $$;

INSERT INTO payments (tx_hash, event_index, log_index, kind, address, payer, amount_wei, block_number, block_hash)
SELECT pg_temp.hash(n), 0, 0, 'payment', pg_temp.account(n), pg_temp.account(n), 1, n, pg_temp.hash(n)
FROM generate_series(1, 50000) AS n;
INSERT INTO quotas (payment_id, address, proofs, used, valid_from_s, valid_until_s)
SELECT id, address, 100, CASE WHEN id % 3 = 0 THEN 1 ELSE 100 END, block_number,
       CASE WHEN id % 500 < 10 THEN 4000000000 ELSE 1000000000 END
FROM payments;
INSERT INTO accounts (address, next_nonce)
SELECT decode(lpad(to_hex(n), 40, '0'), 'hex'), 60000 FROM generate_series(0, 50000) AS n;

INSERT INTO aggregations (system, level, state, root, leaf_count, program_id, public_values, proof, tx_hash,
                          block_number, block_hash)
SELECT 1, 'native', 'final', pg_temp.hash(n), 3968, pg_temp.hash(n), '\\x00', '\\x00', pg_temp.hash(n), n,
       pg_temp.hash(n)
FROM generate_series(1, 1000) AS n;
INSERT INTO aggregations (system, level, root, leaf_count, program_id)
SELECT 1, 'native', pg_temp.hash(n), 1, pg_temp.hash(n) FROM generate_series(2001, 2010) AS n;
INSERT INTO blobs (aggregation_id, position, versioned_hash, kzg_commitment, opening_proof)
SELECT id, 0, root, pg_temp.zeros(48), pg_temp.zeros(48) FROM aggregations;
INSERT INTO chunks (system, level, state, root, leaf_count, aggregation_id, position, result)
SELECT 1, 'native', 'joined', root, 256, id, 0, 'result' FROM aggregations WHERE state = 'final';
INSERT INTO chunks (system, level, state, root, leaf_count, result)
SELECT 1, 'native', CASE WHEN n % 2 = 0 THEN 'proving' ELSE 'proved' END, pg_temp.hash(n), 256, 'result'
FROM generate_series(1, 20) AS n;

INSERT INTO intake_batches (batch_root, sender, block_number, block_hash, pointer, state, proofs)
SELECT pg_temp.hash(n), pg_temp.account(n), n, pg_temp.hash(n), 'http://x',
       CASE WHEN n <= 50000 THEN 'taken' ELSE 'new' END, CASE WHEN n <= 50000 THEN 1 END
FROM generate_series(1, 50010) AS n;

INSERT INTO proofs (source, address, nonce, quota_id, system, program_id, commitment, leaf, proof_hash, key_hash,
                    public_input_hash, proof_object, program_key, public_inputs, size_bytes, signature, deadline_s,
                    state, aggregation_id, leaf_index, path, chunk_id, chunk_position)
SELECT 'gateway', pg_temp.account(n), n, n, 1 + n % 2, pg_temp.hash(1), pg_temp.hash(n), pg_temp.hash(n),
       pg_temp.hash(n), pg_temp.hash(n), pg_temp.hash(n), 'object', '\\x00', '\\x00', 1, pg_temp.zeros(65), 4000000000,
       CASE WHEN n % 100 = 0 THEN 'verifying' WHEN n % 100 < 3 THEN 'pending' ELSE 'final' END,
       CASE WHEN n % 100 > 2 THEN 1 + n / 3968 END, CASE WHEN n % 100 > 2 THEN n % 3968 END,
       CASE WHEN n % 100 > 2 THEN ''::bytea END, CASE WHEN n % 100 > 2 THEN 1 + n / 256 END,
       CASE WHEN n % 100 > 2 THEN n % 256 END
FROM generate_series(1, 50000) AS n;
"""


async def fill(db: Database) -> None:
    """Writes the rows and lets the server count them."""
    async with db.transaction() as conn:
        await conn.execute("SET LOCAL statement_timeout = 0")
        await conn.execute(_FILL)
    async with db.transaction() as conn:
        await conn.execute("ANALYZE")


class Planned:
    """A connection for the product's functions that keeps the plan of each statement.

    Attributes:
        scans: (kind of scan, table, index) of every table that was read.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.scans: set[tuple[str, str, str]] = set()

    async def execute(self, sql: str, args: Any = None) -> Any:
        """As the real one does."""
        found = await self._conn.execute("EXPLAIN (FORMAT JSON) " + sql, args)
        row = await found.fetchone()
        assert row is not None
        self._note(row["QUERY PLAN"][0]["Plan"])
        return await self._conn.execute(sql, args)

    def _note(self, node: dict[str, Any]) -> None:
        kind = node["Node Type"]
        if kind == "Seq Scan":
            self.scans.add((kind, node["Relation Name"], ""))
        elif "Index Name" in node:
            self.scans.add((kind, node.get("Relation Name", ""), node["Index Name"]))
        for child in node.get("Plans", ()):
            self._note(child)

    @property
    def indexes(self) -> set[str]:
        """Names of the indexes in use."""
        return {index for _, _, index in self.scans if index}

    @property
    def whole_tables(self) -> set[str]:
        """Tables that are read from end to end."""
        return {table for kind, table, _ in self.scans if kind == "Seq Scan"}
