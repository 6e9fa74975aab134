"""Nodes that are behind, answer in turns, or go away: waited out, no reorganisation to us, and never spun on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from aligned.chain import tracker
from aligned.chain.client import BlockId, ChainClient
from aligned.chain.cursor import EventCursor
from aligned.chain.journal_rows import Request
from aligned.chain.types import Block, LogEntry
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Connection, Database
from tests.integration.chain.code import COUNTER, TARGET, emit, place
from tests.integration.chain.sending import WORD, Make
from tests.integration.node import Anvil


class _Undone:
    """A role that stores nothing and notes what it was told to undo."""

    def __init__(self) -> None:
        self.blocks: list[int] = []

    async def handle(self, conn: Connection, logs: list[LogEntry]) -> None:
        pass

    async def undo(self, conn: Connection, from_block: int) -> None:
        self.blocks.append(from_block)


@pytest_asyncio.fixture
async def client(anvil: Anvil) -> AsyncIterator[ChainClient]:
    place(anvil, COUNTER)
    async with ChainClient([anvil.url], anvil.chain_id) as opened:
        yield opened


async def _followed(database: Database, anvil: Anvil, client: ChainClient, role: _Undone) -> EventCursor:
    cursor = EventCursor(database, client, "test", TARGET, [], 0)
    for word in range(1, 6):
        emit(anvil, word)
        while await cursor.step(role.handle, role.undo):
            pass
    return cursor


def _lags(client: ChainClient, from_block: int) -> None:
    """The node names the right head and has no block from `from_block` on."""
    real = client.get_block

    async def get_block(block: BlockId) -> Block | None:
        return None if isinstance(block, int) and block >= from_block else await real(block)

    client.get_block = get_block  # type: ignore[method-assign]


@pytest.mark.parametrize("missing_from", [5, 3, 0])
async def test_cursor__block_missing_below_the_head__waits_and_undoes_nothing(
    anvil: Anvil, database: Database, client: ChainClient, missing_from: int
) -> None:
    role = _Undone()
    cursor = await _followed(database, anvil, client, role)
    before = await cursor.next_block()
    _lags(client, missing_from)
    with pytest.raises(DependencyError, match="does not have block"):
        await cursor.step(role.handle, role.undo)
    assert (role.blocks, await cursor.next_block()) == ([], before)


async def test_cursor__head_without_a_block__pauses_between_looks(
    anvil: Anvil, database: Database, client: ChainClient
) -> None:
    role = _Undone()
    cursor = await _followed(database, anvil, client, role)
    anvil.mine(1)
    _lags(client, await client.block_number())
    with pytest.raises(DependencyError):
        await cursor.step(role.handle, role.undo)


async def test_cursor__endpoints_of_different_chains_in_turns__pauses_and_keeps_its_place(
    anvil: Anvil, database: Database, client: ChainClient
) -> None:
    role = _Undone()
    cursor = await _followed(database, anvil, client, role)
    anvil.mine(1)
    head, before, real = await client.block_number(), await cursor.next_block(), client.get_block
    answers = iter([b"\x01" * 32, b"\x02" * 32])

    async def get_block(block: BlockId) -> Block | None:
        found = await real(block)
        if block != head or found is None:
            return found
        return Block(head, next(answers), found.parent_hash, found.timestamp, found.base_fee_wei)

    client.get_block = get_block  # type: ignore[method-assign]
    with pytest.raises(DependencyError, match="different chains"):
        await cursor.step(role.handle, role.undo)
    assert await cursor.next_block() == before


async def test_cursor__no_step_succeeds__is_not_alive(
    anvil: Anvil, database: Database, client: ChainClient
) -> None:
    role = _Undone()
    cursor = await _followed(database, anvil, client, role)
    cursor.check_alive(60)
    _lags(client, 0)
    await asyncio.sleep(0.05)
    with pytest.raises(DependencyError):
        await cursor.step(role.handle, role.undo)
    with pytest.raises(DependencyError, match="cursor_stuck"):
        cursor.check_alive(0.04)


async def test_send__node_gone_after_settlement__looks_once_a_poll(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Anvil() as node:
        place(node, COUNTER)
        sender = make(node, node.new_account(), poll_s=0.1)
        await sender.send("k", TARGET, WORD)
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(seconds)

    looks = 0
    is_final = tracker.is_final

    async def look(client: ChainClient, request: Request) -> bool:
        nonlocal looks
        looks += 1
        return await is_final(client, request)

    monkeypatch.setattr(tracker, "is_final", look)
    monkeypatch.setattr("aligned.chain.tracker.asyncio.sleep", sleep)
    with pytest.raises(DependencyError, match="tx_timeout"):
        await sender.send("k", TARGET, WORD, timeout_s=1.0)
    assert 1 <= looks <= pauses.count(0.1) + 1
