"""The sender's journal under many calls at once, as several processes over one account make them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest_asyncio

from aligned.chain.fees import Limit
from aligned.chain.journal import Journal
from aligned.chain.journal_rows import Attempt, Request
from aligned.storage.postgres import Connection, Database
from tests.integration.storage.aggregation.rows import query
from tests.integration.storage.locks.together import CALLS, together, transaction, wide_database

JOURNAL = Journal(1, b"\x01" * 20)
KEYS = ["a", "b", "c", "d"]
ROUNDS = 5
LIMIT = Limit(10, 0.0)


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with wide_database(postgres, "batcher") as opened:
        yield opened


async def _open(key: str, conn: Connection) -> bool:
    """As a new request is journaled; False where another call was faster."""
    await JOURNAL.lock(conn)
    if await JOURNAL.load(conn, key) is not None:
        return False
    taken = [request.nonce or 0 for request in await JOURNAL.from_nonce(conn, 0)]
    request = Request(key, bytes(20), b"x", 0, 21_000, "pending", max(taken, default=-1) + 1, limit=LIMIT)
    await JOURNAL.insert(conn, request)
    await _sign(conn, key, request.nonce or 0)
    return True


async def _sign(conn: Connection, key: str, nonce: int) -> None:
    number = len(await JOURNAL.attempts(conn, key)) + 1
    await JOURNAL.add_attempt(
        conn, key, Attempt(secrets.token_bytes(32), number, nonce, False, b"raw", number, 1)
    )


async def _push(conn: Connection) -> None:
    """Every pending request gets another form, lowest nonce first; one that is too dear for too long is given up."""
    await JOURNAL.lock(conn)
    for request in await JOURNAL.from_nonce(conn, 0):
        await _sign(conn, request.key, request.nonce or 0)
        if await JOURNAL.set_dear(conn, request.key, is_dear=True):
            await JOURNAL.give_up(conn, request.key)


async def _move(key: str, conn: Connection) -> None:
    await JOURNAL.lock(conn)
    nonce = max(request.nonce or 0 for request in await JOURNAL.from_nonce(conn, 0)) + 1
    await JOURNAL.reopen(conn, key, nonce, 21_000)
    await _sign(conn, key, nonce)


async def _release(key: str, conn: Connection) -> None:
    await JOURNAL.lock(conn)
    await JOURNAL.release(conn, key)


async def _cancel(key: str, conn: Connection) -> None:
    await JOURNAL.give_up(conn, key)
    await JOURNAL.set_state(conn, key, "cancelled")


async def test_request__opened_many_times_at_once__one_row_and_one_form(db: Database) -> None:
    for number in range(ROUNDS):
        calls = [transaction(db, partial(_open, f"key {number}")) for _ in range(CALLS)]
        assert sorted(await together(db, *calls)) == [False] * (CALLS - 1) + [True]
    rows = await query(db, "SELECT nonce FROM tx_request ORDER BY nonce")
    assert [row["nonce"] for row in rows] == list(range(ROUNDS))
    assert len(await query(db, "SELECT 1 FROM tx_attempt")) == ROUNDS


async def test_journal__all_its_statements_at_once__no_deadlock_and_every_nonce_once(db: Database) -> None:
    """Forms are added and keys released under the account's lock; states, limits and dropped bytes come without it."""
    for _ in range(ROUNDS):
        for key in KEYS:
            await transaction(db, partial(_open, key))
        calls: list[Callable[[Connection], Awaitable[object]]] = [
            _push,
            _push,
            *(partial(_move, key) for key in KEYS[:2]),
            *(partial(_cancel, key) for key in KEYS[2:]),
            *(partial(JOURNAL.set_limit, key=key, limit=Limit(20, 1.0)) for key in KEYS[:2]),
            *(partial(JOURNAL.forget_bytes, key=key) for key in KEYS),
            *(partial(_release, key) for key in KEYS[2:]),
            JOURNAL.status,
            partial(JOURNAL.pending_elsewhere, key=KEYS[0]),
        ]
        assert len(calls) == CALLS
        await together(db, *(transaction(db, call) for call in calls))
        for key in KEYS[2:]:
            await transaction(db, partial(_release, key))
    rows = await query(db, "SELECT key, nonce, state FROM tx_request")
    assert len({row["nonce"] for row in rows}) == len(rows)
    # A form follows its request to the name that it has after it was cancelled.
    forms = await query(
        db,
        "SELECT r.key FROM tx_request r LEFT JOIN tx_attempt a USING (chain_id, account, key)"
        " GROUP BY r.key HAVING count(a.number) = 0",
    )
    assert forms == []
