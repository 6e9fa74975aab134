"""Several nodes behind one URL: the one that is asked for logs may not have the blocks that the others have."""

from __future__ import annotations

import pytest

from aligned.chain.client import ChainClient
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Connection, Database
from tests.integration.chain.code import COUNTER, TARGET, emit, place
from tests.integration.node import Anvil
from tests.outside.node import Json, NodeProxy, result

_WORDS = [(1).to_bytes(32), (2).to_bytes(32)]


@pytest.mark.parametrize("topics", [[], [_WORDS[0]], [_WORDS]])
async def test_cursor__logs_are_asked_of_a_node_without_the_block__no_event_is_lost(
    anvil: Anvil, database: Database, topics: list[bytes | list[bytes]]
) -> None:
    place(anvil, COUNTER)
    seen: list[int] = []

    async def handle(_conn: Connection, logs: list[LogEntry]) -> None:
        seen.extend(int.from_bytes(entry.topics[0]) for entry in logs)

    async with NodeProxy(anvil.url) as proxy, ChainClient([proxy.url], anvil.chain_id) as client:
        cursor = EventCursor(database, client, "test", TARGET, topics, 0)
        emit(anvil, 1)
        proxy.before("eth_getLogs", 1, result([]))
        with pytest.raises(DependencyError, match="lacks logs"):
            await cursor.step(handle)
        while await cursor.step(handle):
            pass
    assert seen == [1]


async def test_cursor__filter_of_a_block_without_such_logs_is_full__goes_on(
    anvil: Anvil, database: Database
) -> None:
    async def handle(_conn: Connection, _logs: list[LogEntry]) -> None:
        raise AssertionError("there is none")

    async with NodeProxy(anvil.url) as proxy, ChainClient([proxy.url], anvil.chain_id) as client:
        anvil.mine(2)

        async def full(call: Json) -> Json:
            answer = await proxy.ask(call)
            answer["result"]["logsBloom"] = "0x" + "ff" * 256
            return answer

        proxy.before("eth_getBlockByNumber", None, full)
        cursor = EventCursor(database, client, "test", TARGET, [], 0)
        while await cursor.step(handle):
            pass
        assert await cursor.next_block() == 3
