"""The batcher's tables under many calls at once: right results, and no deadlock."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial

import pytest_asyncio

from aligned.batcher import batches, eviction, outcomes, queue
from aligned.batcher.batches import Plan
from aligned.batcher.model import PostedTask, QueuedProof
from aligned.batcher.rules import Bid, QueueTotals
from aligned.core.errors import ConflictError, DependencyError
from aligned.storage.postgres import Connection, Database
from tests.integration.storage.aggregation.rows import query
from tests.integration.storage.locks.together import CALLS, together, transaction, wide_database

ROUNDS = 5


@pytest_asyncio.fixture
async def batcher(postgres: str) -> AsyncIterator[Database]:
    async with wide_database(postgres, "batcher") as db:
        yield db


def _sender(number: int) -> bytes:
    return bytes([number + 1]) * 20


async def _queue(db: Database, number: int, nonce: int) -> int:
    bid = Bid(nonce, secrets.token_bytes(32), 10, 1)

    async def work(conn: Connection) -> int:
        await queue.lock_sender(conn, _sender(number))
        return await queue.insert(conn, _sender(number), bid, 0, b"x", 2**31, bytes(65))

    return await transaction(db, work)


def _proof(proof_id: int, number: int, nonce: int) -> QueuedProof:
    return QueuedProof(proof_id, _sender(number), nonce, bytes(32), 10, 0, 1, 2**31)


async def test_queue__senders_evict_each_other_at_once__all_end_and_nobody_waits(batcher: Database) -> None:
    ids = [await _queue(batcher, number, 0) for number in range(CALLS)]

    async def bid(number: int) -> bool:
        rival = (number + 1) % CALLS

        async def work(conn: Connection) -> None:
            await queue.lock_sender(conn, _sender(number))
            await eviction.look(conn, _sender(number), Bid(1, bytes(32), 20, 1), QueueTotals(1, 1))
            await eviction.evict(conn, [_proof(ids[rival], rival, 0)])
            await queue.insert(
                conn, _sender(number), Bid(1, secrets.token_bytes(32), 20, 1), 0, b"x", 2**31, bytes(65)
            )

        try:
            await transaction(batcher, work)
        except DependencyError as error:
            if error.code != "queue_full":
                raise
            return False
        return True

    taken = await together(batcher, *(bid(number) for number in range(CALLS)))
    rows = await transaction(batcher, queue.queued)
    # Who got in took one other's place; nobody is lost otherwise.
    assert len(rows) == CALLS
    assert sum(row.nonce == 1 for row in rows) == sum(taken)


def _plan(members: list[QueuedProof], root: bytes) -> Plan:
    return Plan(root, root, tuple(members), (b"",) * len(members), None, len(members), 1, 1)


async def _number(db: Database, root: bytes) -> int:
    found = await transaction(db, lambda conn: batches.select(conn, "root = %s", (root,)))
    return found[0].number


async def _queued(db: Database) -> set[int]:
    return {row.id for row in await transaction(db, queue.queued)}


async def test_batches__built_dissolved_and_outbid_at_once__no_deadlock(batcher: Database) -> None:
    proofs = [_proof(await _queue(batcher, number, 0), number, 0) for number in range(CALLS)]

    async def build(members: list[QueuedProof], root: bytes) -> bool:
        created = await transaction(batcher, lambda conn: batches.create(conn, _plan(members, root)))
        if created:
            number = await _number(batcher, root)
            assert await transaction(batcher, lambda conn: batches.dissolve(conn, number, "test"))
        return created

    async def fail(number: int) -> bool:
        ids = [proofs[number].id, proofs[0].id]
        await transaction(batcher, partial(queue.fail, ids=ids, code="outbid", reason="test"))
        return True

    for dropped in range(1, ROUNDS):
        members = [
            [proof for proof in proofs[::step] if proof.id in await _queued(batcher)] for step in (1, -1)
        ]
        builds = [build(members[each % 2], secrets.token_bytes(32)) for each in range(CALLS - 2)]
        await together(batcher, *builds, fail(-dropped), fail(-dropped))
    left = await _queued(batcher)
    # Only what somebody gave up may be missing, and nothing is left in a batch.
    assert left >= {proof.id for proof in proofs[1 : CALLS - ROUNDS]}
    rows = await query(batcher, "SELECT id, state FROM submission WHERE NOT id = ANY(%s)", list(left))
    assert {row["state"] for row in rows} <= {"failed"}


async def test_batches__followed_by_many_at_once__members_go_with_their_batch(batcher: Database) -> None:
    """Rows of one batch, with its updates in every order that a chain which goes back and forth can ask for."""
    proofs = [_proof(await _queue(batcher, number, 0), number, 0) for number in range(CALLS)]
    root = secrets.token_bytes(32)
    assert await transaction(batcher, lambda conn: batches.create(conn, _plan(proofs[::-1], root)))
    number = await _number(batcher, root)
    task = PostedTask(7, bytes(32), 1, (), 1, 1)
    await transaction(batcher, lambda conn: batches.set_uploaded(conn, number, "http://x"))
    steps: list[Callable[[Connection], Awaitable[object]]] = [
        lambda conn: outcomes.set_posted(conn, number, task, []),
        lambda conn: outcomes.set_verified(conn, number),
        lambda conn: outcomes.set_unanswered(conn, number),
        lambda conn: outcomes.repost(conn, number),
        lambda conn: batches.dissolve(conn, number, "test", 7),
        lambda conn: outcomes.revive(conn, number, task, []),
        lambda conn: queue.fail(conn, [proofs[-1].id, proofs[0].id], "outbid", "test"),
        lambda conn: batches.create(conn, _plan(proofs, secrets.token_bytes(32))),
    ]
    for _ in range(ROUNDS):
        await together(batcher, *(transaction(batcher, step) for step in steps * 2))
    members = await query(
        batcher,
        "SELECT s.state, b.state AS batch FROM submission s LEFT JOIN batch b ON b.number = s.batch_number",
    )
    # A member that was given up while its batch was apart stays so.
    fitting = {"posted": "posted", "verified": "verified", "uploaded": "building", "building": "building"}
    assert all(
        row["state"] == "failed" or row["state"] == fitting.get(row["batch"], "queued") for row in members
    )


async def test_queue__a_bid_replaces_and_evicts_while_both_are_dropped__no_deadlock(
    batcher: Database,
) -> None:
    """The row that is replaced is locked first, also where it comes after the evicted ones."""
    for nonce in range(ROUNDS):
        rivals = [await _queue(batcher, 1, 2 * nonce + each) for each in range(2)]
        own = await _queue(batcher, 0, nonce)
        evicted = [_proof(rivals[each], 1, 2 * nonce + each) for each in range(2)]

        async def bid(evicted: list[QueuedProof] = evicted, nonce: int = nonce) -> None:
            async def work(conn: Connection) -> None:
                await queue.lock_sender(conn, _sender(0))
                await queue.retire_replaced(conn, _sender(0), nonce)
                # Where the others begin with the rows that this one needs next.
                await conn.execute("SELECT pg_sleep(0.1)")
                await eviction.evict(conn, evicted)

            with suppress(DependencyError, ConflictError):
                await transaction(batcher, work)

        drops = [
            transaction(batcher, partial(queue.fail, ids=[*rivals, own], code="outbid", reason="test"))
            for _ in range(3)
        ]
        await together(batcher, bid(), *drops)
    assert not await transaction(batcher, queue.queued)
