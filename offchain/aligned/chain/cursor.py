"""Reads a contract's events exactly once, across restarts and reorganisations.

The handler's rows and the cursor move in one database transaction. Hashes of passed blocks are kept; when the chain
no longer has the last of them, everything from the first changed block on is undone and read again. All answers of one
step come from one endpoint: only a node that has the blocks can say that they hold no logs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from aligned.chain.bloom import may_hold
from aligned.chain.client import ChainClient, Topics
from aligned.chain.identity import check_identity
from aligned.chain.types import Block, LogEntry
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, InvariantError
from aligned.storage.postgres import Connection, Database
from aligned.watchdog import watched

CURSOR_STUCK = "cursor_stuck"
KEPT_BLOCKS = 64
# Of a long range, so many last blocks are remembered besides those with logs: a short reorganisation right after it
# then takes back these few, not the whole range.
_TAIL_BLOCKS = 16
_RETRY_S = 1.0

Handler = Callable[[Connection, list[LogEntry]], Awaitable[None]]
ReorgHandler = Callable[[Connection, int], Awaitable[None]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Position:
    next_block: int
    passed: list[tuple[int, bytes]]  # newest first


class EventCursor:
    """A named, durable position in the events of one contract.

    Args:
        name: unique in the database; a restart under the same name goes on where it was.
        address: 20-byte contract address.
        topics: filter as `eth_getLogs` takes it.
        start_block: first block of a new cursor.
        confirmations: how many blocks below the head it stays.
        range_blocks: most blocks in one database transaction.
    """

    def __init__(
        self,
        db: Database,
        client: ChainClient,
        name: str,
        address: bytes,
        topics: Topics,
        start_block: int,
        *,
        confirmations: int = 0,
        range_blocks: int = 2_000,
    ) -> None:
        self._db = db
        self._client = client
        self._name = name
        self._address = address
        self._topics = topics
        self._start_block = start_block
        self._confirmations = confirmations
        self._range_blocks = range_blocks
        self._identified = False
        self._last_success = time.monotonic()

    def check_alive(self, max_age_s: float) -> None:
        """For readiness.

        Raises:
            DependencyError: cursor_stuck, when no step succeeded for so long; head_frozen or wrong_chain, when that
                is what the nodes show.
        """
        self._client.check_known()
        age_s = time.monotonic() - self._last_success
        if age_s > max_age_s:
            raise DependencyError(CURSOR_STUCK, f"{self._name} has read nothing for {age_s:.0f} s")

    async def run(
        self,
        handle: Handler,
        on_reorg: ReorgHandler | None = None,
        poll_s: float = 1.0,
        stop: asyncio.Event | None = None,
    ) -> None:
        """Follows the chain until `stop` is set.

        A failing node or database is waited out. Any other error of `handle` ends the run, with the cursor where it
        was, so that a restart sees the same events again.

        Args:
            handle: gets the connection of the transaction and the logs of the next blocks, in order; not called for
                blocks without logs.
            on_reorg: must undo what `handle` wrote for blocks from the given number on.
        """
        stop = stop or asyncio.Event()
        with watched(self._name, poll_s) as rounds:
            while not stop.is_set():
                rounds.beat()
                try:
                    pause_s = 0.0 if await self.step(handle, on_reorg) else poll_s
                except DependencyError as error:
                    _log.warning("cursor_waits", cursor=self._name, code=error.code, error=error.message)
                    pause_s = _RETRY_S
                if pause_s > 0:
                    await _sleep(pause_s, stop)

    async def next_block(self) -> int:
        """First block not handled yet."""
        async with self._db.transaction() as conn:
            return (await self._load(conn)).next_block

    async def step(self, handle: Handler, on_reorg: ReorgHandler | None = None) -> bool:
        """Handles the next range of blocks or one reorganisation; False when there is nothing new."""
        async with self._db.transaction() as conn:
            position = await self._load(conn)
        handled = await self._step(position, handle, on_reorg)
        self._last_success = time.monotonic()
        return handled

    async def _step(self, position: _Position, handle: Handler, on_reorg: ReorgHandler | None) -> bool:
        node = self._client.pinned()
        head = await node.block_number() - self._confirmations
        fork = await self._fork_point(node, position, head)
        if fork is not None:
            return await self._rewind(position, fork, on_reorg)
        if position.next_block > head:
            return False
        last = min(head, position.next_block + self._range_blocks - 1)
        return await self._advance(node, position, last, handle)

    async def _advance(self, node: ChainClient, position: _Position, last: int, handle: Handler) -> bool:
        before = await _held_block(node, last)
        logs = await node.get_logs(self._address, self._topics, position.next_block, last)
        passed = [*await _blocks_to_keep(node, position.next_block, last, logs), before]
        await self._expect_complete(node, passed, logs)
        after = await _held_block(node, last)
        # All answers must come from one chain, and it must be the one that we followed so far.
        if (
            before.hash != after.hash
            or not _are_logs_of(passed, logs)
            or await self._fork_point(node, position, last) is not None
        ):
            # Not True: a node that changes its mind would have us ask it without a pause.
            raise DependencyError(CHAIN_UNAVAILABLE, f"answers about block {last} are of different chains")
        async with self._db.transaction() as conn:
            if not await self._still_at(conn, position.next_block):
                return True
            if logs:
                await handle(conn, logs)
            await self._save(conn, passed)
        return True

    async def _expect_complete(self, node: ChainClient, passed: list[Block], logs: list[LogEntry]) -> None:
        """Behind one URL may be many nodes, and one of them that lacks the newest blocks finds no logs in them."""
        seen = {entry.block_number for entry in logs}
        for block in passed:
            if block.number in seen or block.logs_bloom is None:
                continue
            if not may_hold(block.logs_bloom, self._address, self._topics):
                continue
            if await node.get_logs_of(self._address, self._topics, block):
                raise DependencyError(
                    CHAIN_UNAVAILABLE, f"the answer about logs lacks logs of block {block.number}"
                )

    async def _fork_point(self, node: ChainClient, position: _Position, head: int) -> int | None:
        """First block that changed since we passed it, None while the chain is the one we know."""
        known = [(number, digest) for number, digest in position.passed if number <= head]
        for index, (number, digest) in enumerate(known):
            if (await _held_block(node, number)).hash == digest:
                return None if index == 0 else number + 1
        # A node that is merely behind has none of our blocks above its head; that is no reorganisation.
        if not known:
            return None
        return self._start_block

    async def _rewind(self, position: _Position, from_block: int, on_reorg: ReorgHandler | None) -> bool:
        _log.warning(
            "chain_reorganised", cursor=self._name, from_block=from_block, next_block=position.next_block
        )
        async with self._db.transaction() as conn:
            if not await self._still_at(conn, position.next_block):
                return True
            if on_reorg is not None:
                await on_reorg(conn, from_block)
            await conn.execute(
                "DELETE FROM chain_cursor_block WHERE name = %s AND number >= %s", (self._name, from_block)
            )
            await self._move(conn, from_block)
        return True

    async def _load(self, conn: Connection) -> _Position:
        await conn.execute(
            "INSERT INTO chain_cursor (name, chain_id, next_block) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (self._name, self._client.chain_id, self._start_block),
        )
        found = await conn.execute(
            "SELECT chain_id, next_block FROM chain_cursor WHERE name = %s", (self._name,)
        )
        row = await found.fetchone()
        if row is None or row["chain_id"] != self._client.chain_id:
            raise InvariantError("cursor_of_another_chain", f"cursor {self._name}: {row}")
        if not self._identified:
            await check_identity(conn, self._client)
            self._identified = True
        found = await conn.execute(
            "SELECT number, hash FROM chain_cursor_block WHERE name = %s ORDER BY number DESC", (self._name,)
        )
        return _Position(
            row["next_block"], [(item["number"], item["hash"]) for item in await found.fetchall()]
        )

    async def _still_at(self, conn: Connection, next_block: int) -> bool:
        """Locks the cursor; False when another process moved it meanwhile."""
        found = await conn.execute(
            "SELECT next_block FROM chain_cursor WHERE name = %s FOR UPDATE", (self._name,)
        )
        row = await found.fetchone()
        return row is not None and row["next_block"] == next_block

    async def _save(self, conn: Connection, passed: list[Block]) -> None:
        for block in passed:
            await conn.execute(
                "INSERT INTO chain_cursor_block (name, number, hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (self._name, block.number, block.hash),
            )
        await conn.execute(
            "DELETE FROM chain_cursor_block WHERE name = %(name)s AND number NOT IN (SELECT number FROM"
            " chain_cursor_block WHERE name = %(name)s ORDER BY number DESC LIMIT %(kept)s)",
            {"name": self._name, "kept": KEPT_BLOCKS},
        )
        await self._move(conn, passed[-1].number + 1)

    async def _move(self, conn: Connection, next_block: int) -> None:
        await conn.execute(
            "UPDATE chain_cursor SET next_block = %s, updated_at = now() WHERE name = %s",
            (next_block, self._name),
        )


async def _held_block(node: ChainClient, number: int) -> Block:
    """A block at or below the head. Only another hash proves a fork: a node without the block is behind."""
    block = await node.get_block(number)
    if block is None:
        raise DependencyError(CHAIN_UNAVAILABLE, f"the node does not have block {number} below the head")
    return block


async def _blocks_to_keep(node: ChainClient, first: int, last: int, logs: list[LogEntry]) -> list[Block]:
    """Blocks from `first` on and before `last` that a later reorganisation is measured against, oldest first."""
    numbers = {entry.block_number for entry in logs[-KEPT_BLOCKS:]} - {last}
    numbers |= set(range(max(first, last - _TAIL_BLOCKS), last))
    return [await _held_block(node, number) for number in sorted(numbers)]


def _are_logs_of(passed: list[Block], logs: list[LogEntry]) -> bool:
    """Whether no log is of another block than the one passed at its height."""
    hashes = {block.number: block.hash for block in passed}
    return all(hashes.get(entry.block_number, entry.block_hash) == entry.block_hash for entry in logs)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
