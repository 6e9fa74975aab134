"""A chain that is reorganised between two looks of one step of the cursor."""

from __future__ import annotations

from typing import Any

import pytest

from aligned.chain.client import ChainClient
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Connection, Database
from tests.integration.chain.code import COUNTER, TARGET, emit, place
from tests.integration.node import Anvil
from tests.outside.node import NodeProxy


async def test_cursor__reorganised_after_the_look_for_forks__no_event_is_lost_or_kept(
    anvil: Anvil, database: Database
) -> None:
    place(anvil, COUNTER)
    seen: dict[int, int] = {}

    async def handle(_conn: Connection, logs: list[LogEntry]) -> None:
        seen.update({entry.block_number: int.from_bytes(entry.topics[0]) for entry in logs})

    async def undo(_conn: Connection, from_block: int) -> None:
        for block in [block for block in seen if block >= from_block]:
            del seen[block]

    async with NodeProxy(anvil.url) as proxy, ChainClient([proxy.url], anvil.chain_id) as client:
        cursor = EventCursor(database, client, "test", TARGET, [], 0)
        start = anvil.rpc("evm_snapshot")
        emit(anvil, 1)
        while await cursor.step(handle, undo):
            pass
        emit(anvil, 2)
        is_reorganised = False

        def reorganise(call: dict[str, Any]) -> None:
            nonlocal is_reorganised
            if call["params"][0] == hex(2) and not is_reorganised:
                is_reorganised = True
                anvil.rpc("evm_revert", start)
                emit(anvil, 8)
                emit(anvil, 9)

        proxy.before("eth_getBlockByNumber", None, reorganise)
        with pytest.raises(DependencyError, match="different chains"):
            await cursor.step(handle, undo)
        assert (is_reorganised, seen) == (True, {1: 1})
        while await cursor.step(handle, undo):
            pass
    assert seen == {1: 8, 2: 9}
