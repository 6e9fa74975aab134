"""A cursor over endpoints that fail in turns: no answer of one node is taken for another node's blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from aligned.chain import node
from aligned.chain.client import ChainClient
from aligned.chain.cursor import EventCursor
from aligned.chain.types import LogEntry
from aligned.core.errors import DependencyError
from aligned.storage.postgres import Connection, Database
from tests.integration.chain.code import TARGET
from tests.integration.chain.nodes import rpc_error, scripted_node

HEAD = 10
NEVER = 10**9


@pytest.fixture(autouse=True)
def _no_endpoint_recovers_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_COOL_DOWN_S", 3_600.0)


class _Node:
    """A chain with one log; blocks from `forked_from` on are another chain's."""

    def __init__(self, log_block: int, *, head: int = HEAD, forked_from: int = NEVER) -> None:
        self.head = head
        self.log_block = log_block
        self.forked_from = self.logs_forked_from = forked_from
        self.broken: set[str] = set()

    def reply(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method in self.broken:
            return rpc_error(-32603, "internal error")
        if method == "eth_blockNumber":
            return {"result": hex(self.head)}
        if method == "eth_getLogs":
            first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            return {"result": [self._log()] if first <= self.log_block <= min(last, self.head) else []}
        number = int(params[0], 16)
        return {"result": _block(number, self.forked_from) if number <= self.head else None}

    def _log(self) -> dict[str, Any]:
        """Its data is the hash of its block."""
        digest = _hash(self.log_block, self.logs_forked_from)
        places = {"blockNumber": hex(self.log_block), "blockHash": digest, "logIndex": "0x0"}
        named = {"address": "0x" + TARGET.hex(), "topics": [], "transactionHash": "0x" + "00" * 32}
        return {"data": digest} | places | named


def _hash(number: int, forked_from: int) -> str:
    return "0x" + (number + (1_000 if number >= forked_from else 0)).to_bytes(32).hex()


def _block(number: int, forked_from: int) -> dict[str, Any]:
    parent = _hash(max(0, number - 1), forked_from)
    return {
        "number": hex(number),
        "hash": _hash(number, forked_from),
        "parentHash": parent,
        "timestamp": "0x1",
    }


class _Follower:
    """A role that keeps the data of its logs in memory."""

    def __init__(self, database: Database, client: ChainClient) -> None:
        self.cursor = EventCursor(database, client, "test", TARGET, [], 1)
        self.seen: list[tuple[int, int]] = []

    async def handle(self, _conn: Connection, logs: list[LogEntry]) -> None:
        self.seen += [(entry.block_number, int.from_bytes(entry.data)) for entry in logs]

    async def undo(self, _conn: Connection, from_block: int) -> None:
        self.seen = [entry for entry in self.seen if entry[0] < from_block]

    async def step(self) -> bool:
        return await self.cursor.step(self.handle, self.undo)


@asynccontextmanager
async def _following(database: Database, *nodes: _Node) -> AsyncIterator[_Follower]:
    async with AsyncExitStack() as stack:
        served = [await stack.enter_async_context(scripted_node(node.reply)) for node in nodes]
        client = await stack.enter_async_context(ChainClient([url for url, _asked in served], 31337))
        yield _Follower(database, client)


async def test_cursor__logs_refused_and_next_endpoint_behind__event_is_not_lost(database: Database) -> None:
    first, behind = _Node(9), _Node(9, head=8)
    first.broken = {"eth_getLogs"}
    async with _following(database, first, behind) as follower:
        with pytest.raises(DependencyError, match="internal error"):
            await follower.step()
        assert await follower.cursor.next_block() == 1
        assert await follower.step()
        assert (follower.seen, await follower.cursor.next_block()) == ([], 9)
        behind.head = HEAD
        assert await follower.step()
        assert (follower.seen, await follower.cursor.next_block()) == ([(9, 9)], HEAD + 1)


async def test_cursor__logs_refused_and_next_endpoint_forked__logs_and_hashes_are_of_one_chain(
    database: Database,
) -> None:
    first, forked = _Node(9), _Node(9, forked_from=9)
    first.broken = {"eth_getLogs"}
    async with _following(database, first, forked) as follower:
        with pytest.raises(DependencyError, match="internal error"):
            await follower.step()
        assert (follower.seen, await follower.cursor.next_block()) == ([], 1)
        assert await follower.step()
        assert follower.seen == [(9, 1_009)]
        first.broken, forked.broken = set(), {"eth_blockNumber"}
        assert await follower.step()
        assert (follower.seen, await follower.cursor.next_block()) == ([], 9)
        assert await follower.step()
        assert (follower.seen, await follower.cursor.next_block()) == ([(9, 9)], HEAD + 1)


@pytest.mark.parametrize("log_block", [100, 99, 30], ids=["last", "tail", "deep"])
async def test_cursor__logs_of_other_blocks_than_its_headers__waits_and_handles_nothing(
    database: Database, log_block: int
) -> None:
    torn = _Node(log_block, head=100)
    torn.logs_forked_from = 1
    async with _following(database, torn) as follower:
        with pytest.raises(DependencyError, match="different chains"):
            await follower.step()
        assert (follower.seen, await follower.cursor.next_block()) == ([], 1)
        torn.logs_forked_from = NEVER
        assert await follower.step()
        assert follower.seen == [(log_block, log_block)]


async def test_client__server_error_once__endpoint_is_left_alone_for_a_while() -> None:
    first, second = _Node(9), _Node(9, head=8)
    first.broken = {"eth_getLogs"}
    async with (
        scripted_node(first.reply) as (url, asked),
        scripted_node(second.reply) as (other, _),
        ChainClient([url, other], 31337) as client,
    ):
        assert await client.get_logs(TARGET, [], 9, 9) == []
        assert await client.block_number() == 8
        assert asked == ["eth_getLogs"]


async def test_pinned__endpoint_that_answered_first__is_the_only_one_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node, "_COOL_DOWN_S", 0.0)
    first, second = _Node(9), _Node(9, head=8)
    first.broken = {"eth_blockNumber"}
    async with (
        scripted_node(first.reply) as (url, asked),
        scripted_node(second.reply) as (other, _),
        ChainClient([url, other], 31337) as client,
    ):
        pinned = client.pinned()
        assert await pinned.block_number() == 8
        assert await pinned.get_block(9) is None
        second.broken = {"eth_getLogs"}
        with pytest.raises(DependencyError, match="internal error"):
            await pinned.get_logs(TARGET, [], 9, 9)
        assert asked == ["eth_blockNumber"]
        assert len(await client.get_logs(TARGET, [], 9, 9)) == 1
