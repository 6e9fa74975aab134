"""The cursor: nothing missed, nothing twice, across restarts, errors and reorganisations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from aligned.chain.client import ChainClient
from aligned.chain.cursor import KEPT_BLOCKS, EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import DependencyError, InvariantError
from aligned.storage.postgres import Connection, Database
from tests.integration.chain.code import COUNTER, TARGET, emit, place
from tests.integration.node import Anvil


class _Rows:
    """A role that stores what it sees."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def create(self) -> None:
        async with self.database.transaction() as conn:
            await conn.execute("CREATE TABLE IF NOT EXISTS seen (block BIGINT, word BYTEA)")

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        for entry in logs:
            await conn.execute("INSERT INTO seen VALUES (%s, %s)", (entry.block_number, entry.topics[0]))

    async def undo(self, conn: Connection, from_block: int) -> None:
        await conn.execute("DELETE FROM seen WHERE block >= %s", (from_block,))

    async def words(self) -> list[int]:
        async with self.database.transaction() as conn:
            found = await conn.execute("SELECT word FROM seen ORDER BY block, word")
            return [int.from_bytes(row["word"]) for row in await found.fetchall()]


@pytest_asyncio.fixture
async def rows(database: Database) -> _Rows:
    made = _Rows(database)
    await made.create()
    return made


@pytest_asyncio.fixture
async def client(anvil: Anvil) -> AsyncIterator[ChainClient]:
    place(anvil, COUNTER)
    async with ChainClient([anvil.url], anvil.chain_id) as opened:
        yield opened


def _cursor(rows: _Rows, client: ChainClient, **options: Any) -> EventCursor:
    return EventCursor(rows.database, client, "test", TARGET, [], 0, **options)


async def _drain(cursor: EventCursor, rows: _Rows) -> None:
    async with asyncio.timeout(60):
        while await cursor.step(rows.handle, rows.undo):
            pass


async def test_cursor__events_in_many_ranges__each_once_in_order(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    for word in range(1, 8):
        emit(anvil, word)
        anvil.mine(3)
    await _drain(_cursor(rows, client, range_blocks=5), rows)
    assert await rows.words() == list(range(1, 8))


async def test_cursor__new_object_under_the_same_name__goes_on(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    emit(anvil, 1)
    await _drain(_cursor(rows, client), rows)
    emit(anvil, 2)
    await _drain(_cursor(rows, client), rows)
    assert await rows.words() == [1, 2]


async def test_cursor__handler_fails__neither_rows_nor_position_stay(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    emit(anvil, 1)
    cursor = _cursor(rows, client)
    before = await cursor.next_block()

    async def failing(conn: Connection, logs: list[LogEntry]) -> None:
        await rows.handle(conn, logs)
        raise LookupError("bad event")

    with pytest.raises(LookupError):
        await cursor.step(failing, rows.undo)
    assert (await rows.words(), await cursor.next_block()) == ([], before)
    await _drain(cursor, rows)
    assert await rows.words() == [1]


async def test_cursor__confirmations__stays_below_the_head(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    emit(anvil, 1)
    cursor = _cursor(rows, client, confirmations=2)
    anvil.mine(1)
    await _drain(cursor, rows)
    assert await rows.words() == []
    anvil.mine(1)
    await _drain(cursor, rows)
    assert await rows.words() == [1]


@pytest.mark.parametrize("new_blocks", [2, 3, 10])
async def test_cursor__reorganisation__undone_and_read_again(
    anvil: Anvil, rows: _Rows, client: ChainClient, new_blocks: int
) -> None:
    cursor = _cursor(rows, client)
    emit(anvil, 1)
    await _drain(cursor, rows)
    snapshot = anvil.rpc("evm_snapshot")
    for word in (2, 3):
        emit(anvil, word)
        await _drain(cursor, rows)
    assert await rows.words() == [1, 2, 3]
    anvil.rpc("evm_revert", snapshot)
    anvil.rpc("evm_increaseTime", "0x64")
    emit(anvil, 4)
    anvil.mine(new_blocks - 1)
    await _drain(cursor, rows)
    assert await rows.words() == [1, 4]


async def test_cursor__anvil_reorg__only_the_changed_blocks_are_undone(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    cursor = _cursor(rows, client)
    for word in (1, 2, 3):
        emit(anvil, word)
        await _drain(cursor, rows)
    undone: list[int] = []

    async def undo(conn: Connection, from_block: int) -> None:
        undone.append(from_block)
        await rows.undo(conn, from_block)

    anvil.rpc("anvil_reorg", 2, [])
    anvil.mine(1)
    while await cursor.step(rows.handle, undo):
        pass
    assert undone == [2]
    assert await rows.words() == [1]


async def test_cursor__short_reorganisation_after_a_long_range__takes_back_its_end_only(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    emit(anvil, 1)
    anvil.mine(100)
    cursor = _cursor(rows, client)
    await _drain(cursor, rows)
    head = await client.block_number()
    anvil.rpc("anvil_reorg", 2, [])
    anvil.mine(1)
    undone: list[int] = []

    async def undo(conn: Connection, from_block: int) -> None:
        undone.append(from_block)
        await rows.undo(conn, from_block)

    while await cursor.step(rows.handle, undo):
        pass
    assert undone == [head - 1]
    assert await rows.words() == [1]


async def test_cursor__node_behind__waits_instead_of_undoing(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    cursor = _cursor(rows, client)
    snapshot = anvil.rpc("evm_snapshot")
    emit(anvil, 1)
    await _drain(cursor, rows)
    anvil.rpc("evm_revert", snapshot)
    assert not await cursor.step(rows.handle, rows.undo)
    assert await rows.words() == [1]


async def test_cursor__everything_we_knew_is_gone__starts_over(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    cursor = _cursor(rows, client)
    snapshot = anvil.rpc("evm_snapshot")
    for word in range(1, 4):
        emit(anvil, word)
        await _drain(cursor, rows)
    async with rows.database.transaction() as conn:
        await conn.execute("DELETE FROM chain_cursor_block WHERE number < 3")
    anvil.rpc("evm_revert", snapshot)
    anvil.rpc("evm_increaseTime", "0x64")
    for word in range(11, 15):
        emit(anvil, word)
    await _drain(cursor, rows)
    assert await rows.words() == [11, 12, 13, 14]


async def test_cursor__long_run__keeps_a_bounded_number_of_hashes(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    cursor = _cursor(rows, client, range_blocks=1)
    anvil.mine(KEPT_BLOCKS + 20)
    await _drain(cursor, rows)
    async with rows.database.transaction() as conn:
        found = await conn.execute("SELECT count(*) AS n, max(number) AS last FROM chain_cursor_block")
        assert await found.fetchone() == {"n": KEPT_BLOCKS, "last": KEPT_BLOCKS + 20}


async def test_cursor__two_processes_on_one_name__each_event_once(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    for word in range(1, 21):
        emit(anvil, word)
    cursors = [_cursor(rows, client, range_blocks=2) for _ in range(3)]
    await asyncio.gather(*(_drain(cursor, rows) for cursor in cursors))
    assert await rows.words() == list(range(1, 21))


async def test_cursor__name_used_on_another_chain__is_refused(rows: _Rows, client: ChainClient) -> None:
    await _cursor(rows, client).next_block()
    async with ChainClient(["http://127.0.0.1:1"], 1) as other:
        with pytest.raises(InvariantError, match="another_chain"):
            await _cursor(rows, other).next_block()


async def test_run__node_down_for_a_while__goes_on_until_stopped(
    anvil: Anvil, rows: _Rows, client: ChainClient
) -> None:
    stop = asyncio.Event()
    cursor = _cursor(rows, client)
    failures = iter([DependencyError("chain_unavailable", "down")])
    real = client.block_number

    async def flaky() -> int:
        for error in failures:
            raise error
        return await real()

    client.block_number = flaky  # type: ignore[method-assign]
    emit(anvil, 1)
    running = asyncio.create_task(cursor.run(rows.handle, rows.undo, poll_s=0.02, stop=stop))
    async with asyncio.timeout(60):
        while await rows.words() != [1]:  # noqa: ASYNC110 - it looks at a database
            await asyncio.sleep(0.02)
    stop.set()
    await running


async def test_cursor__devnet_started_anew_under_an_old_database__is_refused(
    rows: _Rows, client: ChainClient
) -> None:
    await _cursor(rows, client).next_block()
    with Anvil("--timestamp", "1700000000") as another:
        async with ChainClient([another.url], another.chain_id) as other:
            with pytest.raises(InvariantError, match="database_of_another_chain"):
                await _cursor(rows, other).step(rows.handle, rows.undo)
