"""The sender's tables: what was asked for, and every signed form of it."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from aligned.chain.fees import Limit
from aligned.chain.journal_rows import Attempt, PendingStatus, Request, attempt_of, receipt_json, request_of
from aligned.chain.types import ChainReceipt
from aligned.storage.postgres import Connection

_LONG_WAIT = "SET LOCAL lock_timeout = '120s'; SET LOCAL statement_timeout = '120s'"


class Journal:
    """Rows of one account on one chain. Every method works in the caller's transaction."""

    def __init__(self, chain_id: int, account: bytes) -> None:
        self._owner = (chain_id, account)

    async def lock(self, conn: Connection) -> None:
        """Keeps every other sender of this account out until the transaction ends."""
        name = f"tx:{self._owner[0]}:{self._owner[1].hex()}"
        # Whoever holds it asks the chain for a nonce meanwhile: waiting longer than for a row's lock is normal.
        await conn.execute(_LONG_WAIT)
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    async def load(self, conn: Connection, key: str) -> Request | None:
        """The request called `key`."""
        found = await conn.execute(
            "SELECT * FROM tx_request WHERE chain_id = %s AND account = %s AND key = %s", (*self._owner, key)
        )
        row = await found.fetchone()
        return None if row is None else request_of(row)

    async def from_nonce(self, conn: Connection, nonce: int) -> list[Request]:
        """All requests at `nonce` or above, lowest first."""
        found = await conn.execute(
            "SELECT * FROM tx_request WHERE chain_id = %s AND account = %s AND nonce >= %s ORDER BY nonce",
            (*self._owner, nonce),
        )
        return [request_of(row) for row in await found.fetchall()]

    async def attempts(self, conn: Connection, key: str) -> list[Attempt]:
        """All signed forms of `key`, newest first."""
        found = await conn.execute(
            "SELECT *, extract(epoch FROM now() - signed_at)::float8 AS age_s FROM tx_attempt"
            " WHERE chain_id = %s AND account = %s AND key = %s ORDER BY number DESC",
            (*self._owner, key),
        )
        return [attempt_of(row) for row in await found.fetchall()]

    async def pending_elsewhere(self, conn: Connection, key: str) -> bytes | None:
        """Another account that has sent, or is about to send, what `key` names."""
        found = await conn.execute(
            "SELECT account FROM tx_request WHERE chain_id = %s AND account <> %s AND key = %s"
            " AND state = 'pending' LIMIT 1",
            (*self._owner, key),
        )
        row = await found.fetchone()
        return None if row is None else row["account"]

    async def status(self, conn: Connection) -> PendingStatus:
        """What is not settled."""
        found = await conn.execute(
            "SELECT count(DISTINCT r.key) AS pending, coalesce(max(a.max_fee_wei), 0) AS max_fee_wei,"
            " coalesce(extract(epoch FROM now() - min(a.signed_at)), 0)::float8 AS oldest_age_s"
            " FROM tx_request r JOIN tx_attempt a USING (chain_id, account, key)"
            " WHERE r.chain_id = %s AND r.account = %s AND r.state = 'pending'",
            self._owner,
        )
        row = await found.fetchone()
        assert row is not None
        return PendingStatus(row["pending"], row["oldest_age_s"], int(row["max_fee_wei"]))

    async def insert(self, conn: Connection, request: Request) -> None:
        """A new request."""
        await conn.execute(
            "INSERT INTO tx_request (chain_id, account, key, nonce, to_address, data, value_wei, gas_limit, state,"
            " blobs, blob_hashes, max_fee_wei, give_up_after_s, max_blob_fee_wei)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *self._owner,
                request.key,
                request.nonce,
                request.to,
                request.data,
                request.value_wei,
                request.gas_limit,
                request.state,
                b"".join(request.blobs),
                b"".join(request.blob_hashes),
                request.limit.max_fee_wei,
                request.limit.give_up_after_s,
                request.limit.max_blob_fee_wei,
            ),
        )

    async def add_attempt(self, conn: Connection, key: str, attempt: Attempt) -> None:
        """A new signed form; stored before it is broadcast."""
        await conn.execute(
            "INSERT INTO tx_attempt (chain_id, account, key, tx_hash, number, nonce, is_cancel, raw, max_fee_wei,"
            " priority_fee_wei, blob_fee_wei) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *self._owner,
                key,
                attempt.tx_hash,
                attempt.number,
                attempt.nonce,
                attempt.is_cancel,
                attempt.raw,
                attempt.max_fee_wei,
                attempt.priority_fee_wei,
                attempt.blob_fee_wei,
            ),
        )

    async def set_limit(self, conn: Connection, key: str, limit: Limit) -> None:
        """What the request may offer from now on; one that was given up stays so."""
        await conn.execute(
            "UPDATE tx_request SET max_fee_wei = %s, give_up_after_s = %s, max_blob_fee_wei = %s"
            " WHERE chain_id = %s AND account = %s AND key = %s AND NOT gave_up",
            (limit.max_fee_wei, limit.give_up_after_s, limit.max_blob_fee_wei, *self._owner, key),
        )

    async def set_dear(self, conn: Connection, key: str, *, is_dear: bool) -> bool:
        """Notes whether the chain asks for more than the request may offer; True once that was so for too long."""
        found = await conn.execute(
            "UPDATE tx_request SET dear_since = CASE WHEN %s THEN coalesce(dear_since, now()) END"
            " WHERE chain_id = %s AND account = %s AND key = %s"
            " RETURNING dear_since + make_interval(secs => give_up_after_s) <= now() AS is_over",
            (is_dear, *self._owner, key),
        )
        row = await found.fetchone()
        return row is not None and bool(row["is_over"])

    async def give_up(self, conn: Connection, key: str) -> None:
        """From now on only cancels of the request are signed."""
        await conn.execute(
            "UPDATE tx_request SET gave_up = TRUE WHERE chain_id = %s AND account = %s AND key = %s",
            (*self._owner, key),
        )

    async def release(self, conn: Connection, key: str) -> None:
        """Frees the key of a cancelled request, which keeps its nonce and forms under another name. Under the lock."""
        await conn.execute(
            "UPDATE tx_request SET key = left(key, 150) || '~cancelled:' || nonce"
            " WHERE chain_id = %s AND account = %s AND key = %s AND state = 'cancelled'",
            (*self._owner, key),
        )

    async def reopen(self, conn: Connection, key: str, nonce: int, gas_limit: int) -> None:
        """Makes a request pending at another nonce."""
        await conn.execute(
            "UPDATE tx_request SET nonce = %s, gas_limit = %s, state = 'pending', receipt = NULL, error = NULL,"
            " gave_up = FALSE, dear_since = NULL, updated_at = now() WHERE chain_id = %s AND account = %s AND key = %s",
            (nonce, gas_limit, *self._owner, key),
        )

    async def set_state(
        self,
        conn: Connection,
        key: str,
        state: str,
        receipt: ChainReceipt | None = None,
        error: str | None = None,
    ) -> None:
        """Settles a request, or opens it again."""
        stored = None if receipt is None else Jsonb(receipt_json(receipt))
        await conn.execute(
            "UPDATE tx_request SET state = %s, receipt = %s, error = %s, updated_at = now()"
            " WHERE chain_id = %s AND account = %s AND key = %s",
            (state, stored, error, *self._owner, key),
        )

    async def forget_bytes(self, conn: Connection, key: str) -> None:
        """Drops blobs and signed bytes of a settled request; what was asked for and what became of it stay."""
        await conn.execute(
            "UPDATE tx_request SET blobs = '' WHERE chain_id = %s AND account = %s AND key = %s"
            " AND state <> 'pending'",
            (*self._owner, key),
        )
        await conn.execute(
            "UPDATE tx_attempt SET raw = '' FROM tx_request r WHERE r.chain_id = %s AND r.account = %s"
            " AND r.key = %s AND r.state <> 'pending' AND (tx_attempt.chain_id, tx_attempt.account,"
            " tx_attempt.key) = (r.chain_id, r.account, r.key)",
            (*self._owner, key),
        )
