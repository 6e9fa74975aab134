"""Another process commits a proof with the same nonce while ours is about to: it is seen, and no statement breaks."""

from __future__ import annotations

import asyncio

from aligned.batcher import queue
from aligned.batcher.rules import Bid
from aligned.core.commitment import commit
from aligned.storage.postgres import Database
from aligned.wire.batch_file import encode_item
from tests.integration.batcher.clients import MAX_FEE_WEI, HelloClient, User
from tests.integration.batcher.conftest import Running, eventually
from tests.integration.batcher.helpers import hold_blocks, states
from tests.integration.batcher.proofs import small


async def _waits_for_the_sender(db: Database) -> bool:
    async with db.transaction() as conn:
        found = await conn.execute(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        row = await found.fetchone()
    return bool(row and row["n"])


async def test_store__other_process_takes_the_nonce_first__waits_for_it_and_is_refused(
    batcher: Running, user: User
) -> None:
    await hold_blocks(batcher)
    first, item = small(7), encode_item(small(7))
    async with HelloClient(batcher.url) as client:
        async with batcher.db.transaction() as conn:
            await queue.lock_sender(conn, user.address)
            bid = Bid(0, commit(first).leaf, MAX_FEE_WEI, len(item))
            await queue.insert(conn, user.address, bid, first.proving_system, item, 2**40, bytes(65))
            asking = asyncio.create_task(client.code(user.message(small(0), 0)))
            await eventually(lambda: _waits_for_the_sender(batcher.db))
        assert await asking == "underpriced_replacement"
    assert await states(batcher.db, user) == {0: "queued"}
