"""From a signed submission to a pending proof: reserve nonce and quota, then accept or reject what was reserved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from aligned.core.aggregation import AggregationSystem
from aligned.storage.aggregation import payments
from aligned.storage.aggregation.accounts import Now
from aligned.storage.postgres import Connection

# `used < proofs` is no part of the WHERE: whoever is told "used up" has paid, others have not.
_LOOK = """
SELECT (SELECT next_nonce FROM accounts WHERE address = %(address)s) AS next_nonce,
       (SELECT id FROM proofs
        WHERE address = %(address)s AND system = %(system)s AND proof_hash = %(proof_hash)s AND key_hash = %(key_hash)s
              AND public_input_hash = %(public_input_hash)s AND source = 'gateway' AND state <> 'rejected') AS same,
       count(*) > 0 AS paid, coalesce(sum(proofs - used), 0)::bigint AS remaining
FROM quotas
WHERE address = %(address)s AND NOT orphaned AND valid_from_s <= %(begun_s)s AND valid_until_s > %(now_s)s
"""
_OPEN_ACCOUNT = "INSERT INTO accounts (address) VALUES (%s) ON CONFLICT DO NOTHING"
# One statement: quota, nonce and row change together or not at all. Quota and account are locked by what changes them,
# and looked at again when somebody else had the lock.
_RESERVE = """
WITH chosen AS (
    SELECT id FROM quotas
    WHERE address = %(address)s AND NOT orphaned AND used < proofs
          AND valid_from_s <= %(begun_s)s AND valid_until_s > %(now_s)s
    ORDER BY valid_until_s, id LIMIT 1 FOR NO KEY UPDATE
), counted AS (
    UPDATE accounts SET next_nonce = next_nonce + 1 FROM chosen
    WHERE address = %(address)s AND next_nonce = %(nonce)s RETURNING chosen.id
), charged AS (
    UPDATE quotas SET used = used + 1 FROM counted WHERE quotas.id = counted.id RETURNING quotas.id
)
INSERT INTO proofs (id, source, address, nonce, quota_id, system, program_id, commitment, leaf, proof_hash, key_hash,
                    public_input_hash, proof_object, program_key, public_inputs, size_bytes, signature, deadline_s,
                    leased_until)
SELECT %(id)s, 'gateway', %(address)s, %(nonce)s, charged.id, %(system)s, %(program_id)s, %(commitment)s, %(leaf)s,
       %(proof_hash)s, %(key_hash)s, %(public_input_hash)s, %(proof_object)s, %(program_key)s, %(public_inputs)s,
       %(size_bytes)s, %(signature)s, %(deadline_s)s, now() + make_interval(secs => %(lease_s)s)
FROM charged RETURNING id
"""
# One round trip for all but the rare case. The quota is locked first: the payments poller waits, or we for it.
_ACCEPT_PAID = """
UPDATE proofs SET state = 'pending', updated_at = now()
WHERE id = %s AND state = 'verifying'
      AND NOT (SELECT orphaned FROM quotas WHERE quotas.id = proofs.quota_id FOR SHARE)
RETURNING id
"""
_ACCEPT = """
UPDATE proofs SET state = 'pending', updated_at = now() WHERE id = %s AND state = 'verifying' RETURNING state, address
"""
_QUOTA_OF = """
SELECT quotas.id FROM quotas JOIN proofs ON proofs.quota_id = quotas.id WHERE proofs.id = %s
FOR NO KEY UPDATE OF quotas
"""
_REJECT = """
UPDATE proofs SET state = 'rejected', reject_code = %(code)s, reject_reason = %(reason)s, chunk_id = NULL,
                  chunk_position = NULL, updated_at = now()
WHERE id = %(id)s AND state = ANY(%(states)s) RETURNING quota_id
"""
# A payment that came back smaller than it was used has less to give back.
_GIVE_BACK = "UPDATE quotas SET used = greatest(used - 1, 0) WHERE id = %s"
_RENEW = """
UPDATE proofs SET leased_until = now() + make_interval(secs => %s) WHERE id = ANY(%s) AND state = 'verifying'
"""
_TAKE_OVER = """
UPDATE proofs SET leased_until = now() + make_interval(secs => %s)
WHERE id IN (SELECT id FROM proofs WHERE state = 'verifying' AND leased_until < now()
             ORDER BY leased_until LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, system, proof_object, proof_hash, size_bytes, program_key, public_inputs, attempts
"""
_COUNT_ATTEMPT = "UPDATE proofs SET attempts = attempts + 1 WHERE id = %s AND state = 'verifying'"
_TAKE_BACK_ATTEMPTS = """
UPDATE proofs SET attempts = greatest(attempts - 1, 0) WHERE id = ANY(%s) AND state = 'verifying'
"""
_OBJECT_IN_USE = "SELECT 1 FROM proofs WHERE id = %s AND state <> 'rejected'"
_MAX_REASON_CHARS = 500


@dataclass(frozen=True, slots=True)
class Submission:
    """A proof whose signature is checked, about to become a row.

    Attributes:
        id: chosen by us; the proof object is stored before the row is written.
        address, signature: of the submitter; nonce and deadline_s (Unix seconds) are what was signed.
        program_id, commitment, leaf: see core.aggregation.
        proof_hash, key_hash, public_input_hash: keccak of the bytes as they were uploaded.
    """

    id: UUID
    address: bytes
    nonce: int
    deadline_s: int
    signature: bytes
    system: AggregationSystem
    program_id: bytes
    commitment: bytes
    leaf: bytes
    proof_hash: bytes
    key_hash: bytes
    public_input_hash: bytes
    proof_object: str
    program_key: bytes
    public_inputs: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a submission is about to ask for: whose proof of what."""

    address: bytes
    system: AggregationSystem
    proof_hash: bytes
    key_hash: bytes
    public_input_hash: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What a submission will meet.

    Attributes:
        next_nonce: of the account; None before its first submission.
        same: the row of the same proof of the same sender, unless it was rejected.
        paid: there is a payment in its time, used up or not.
        remaining: proofs that may be submitted now.
    """

    next_nonce: int | None
    same: UUID | None
    paid: bool
    remaining: int


@dataclass(frozen=True, slots=True)
class Unverified:
    """A row whose proof has no verdict yet.

    Attributes:
        attempts: how often a verifier was asked since the process that took it in was gone, without a verdict.
    """

    id: UUID
    system: AggregationSystem
    proof_object: str
    proof_hash: bytes
    size_bytes: int
    program_key: bytes
    public_inputs: bytes
    attempts: int


async def look(conn: Connection, wanted: Wanted, now: Now) -> Standing:
    """What a submission will meet, without any lock."""
    row = await (await conn.execute(_LOOK, _values(wanted, now))).fetchone()
    assert row is not None
    return Standing(**row)


async def open_account(conn: Connection, address: bytes) -> None:
    """Makes the row of an account that submits for the first time."""
    await conn.execute(_OPEN_ACCOUNT, (address,))


async def reserve(conn: Connection, submission: Submission, now: Now, lease_s: float) -> bool:
    """Takes nonce and quota and writes the row in state verifying, leased to the caller; the account is there.

    False, and nothing changed, without quota, with another nonce than the next one, or when the same proof is there.
    """
    values = _values(submission, now) | {"lease_s": lease_s}
    try:
        return await (await conn.execute(_RESERVE, values)).fetchone() is not None
    except psycopg.errors.UniqueViolation:
        return False


async def accept(conn: Connection, proof_id: UUID) -> bool:
    """The proof is valid: it waits in the queue. One statement.

    Returns:
        Whether it does; if not, its payment left the chain, or it was not in state verifying.
    """
    return await (await conn.execute(_ACCEPT_PAID, (proof_id,))).fetchone() is not None


async def accept_orphaned(conn: Connection, proof_id: UUID) -> None:
    """The proof is valid and its payment left the chain: another payment of its account pays, or it is unpaid.

    Does nothing with a proof that is not in state verifying. Needs a transaction.
    """
    await payments.lock_quotas(conn, proof_id)
    row = await (await conn.execute(_ACCEPT, (proof_id,))).fetchone()
    if row is not None and row["state"] == "unpaid":
        await payments.charge_unpaid(conn, row["address"])


async def reject(
    conn: Connection, proof_id: UUID, code: str, reason: str, states: Sequence[str] = ("verifying",)
) -> bool:
    """The proof is refused for good: its quota is given back, its nonce stays used.

    The quota is locked before the proof, in the order in which the payments poller locks them.

    Args:
        states: the states in which it may be refused.

    Returns:
        Whether it was in one of these states.
    """
    quota = await (await conn.execute(_QUOTA_OF, (proof_id,))).fetchone()
    values = {"id": proof_id, "code": code, "reason": reason[:_MAX_REASON_CHARS], "states": list(states)}
    row = await (await conn.execute(_REJECT, values)).fetchone()
    if row is not None and quota is not None:
        await conn.execute(_GIVE_BACK, (quota["id"],))
    return row is not None


async def renew(conn: Connection, proof_ids: Sequence[UUID], lease_s: float) -> None:
    """Keeps the leases of proofs that are being verified."""
    await conn.execute(_RENEW, (lease_s, list(proof_ids)))


async def take_over(conn: Connection, lease_s: float, limit: int) -> list[Unverified]:
    """Leases proofs whose verification was broken off."""
    rows = await (await conn.execute(_TAKE_OVER, (lease_s, limit))).fetchall()
    return [Unverified(**row | {"system": AggregationSystem(row["system"])}) for row in rows]


async def count_attempt(conn: Connection, proof_id: UUID) -> None:
    """A verifier is about to be asked about a proof that was taken over."""
    await conn.execute(_COUNT_ATTEMPT, (proof_id,))


async def take_back_attempts(conn: Connection, proof_ids: Sequence[UUID]) -> None:
    """Takes back one attempt of each: something else than the proof was in the way of its verdict."""
    await conn.execute(_TAKE_BACK_ATTEMPTS, (list(proof_ids),))


async def needs_object(conn: Connection, proof_id: UUID) -> bool:
    """Whether there is a row, not rejected, that the stored object of `proof_id` is for."""
    return await (await conn.execute(_OBJECT_IN_USE, (proof_id,))).fetchone() is not None


def _values(submission: Submission | Wanted, now: Now) -> dict[str, Any]:
    # Not asdict, which would copy every value.
    values = {name: getattr(submission, name) for name in submission.__slots__}
    return values | {"now_s": now.now_s, "begun_s": now.begun_s}
