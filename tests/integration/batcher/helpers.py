"""Steps that many tests of the batcher share."""

from __future__ import annotations

from aligned.storage.postgres import Database
from tests.integration.batcher.clients import MAX_FEE_WEI, HelloClient, User
from tests.integration.batcher.conftest import Running, eventually
from tests.integration.batcher.proofs import small


async def states(db: Database, user: User) -> dict[int, str]:
    async with db.transaction() as conn:
        rows = await (
            await conn.execute(
                "SELECT nonce, state FROM submission WHERE sender = %s ORDER BY id", (user.address,)
            )
        ).fetchall()
    return {row["nonce"]: row["state"] for row in rows}


async def kept_items(db: Database) -> int:
    """Proofs whose bytes the batcher still has."""
    async with db.transaction() as conn:
        row = await (await conn.execute("SELECT count(item) AS kept FROM submission")).fetchone()
    assert row is not None
    return int(row["kept"])


async def submit(client: HelloClient, user: User, nonce: int, max_fee_wei: int = MAX_FEE_WEI) -> None:
    reply = await client.ask(user.message(small(nonce), nonce, max_fee_wei=max_fee_wei))
    while "Receipt" not in reply:
        assert "Rejected" not in reply, reply
        reply = await client.read()


async def hold_blocks(batcher: Running) -> None:
    """No more blocks, so that a queue builds up until the test mines."""
    batcher.chain.mines_itself = False
    block = batcher.chain.prices.block

    async def settled() -> bool:
        quoted = (await batcher.get("/v1/quote")).json()["block"]
        poster = batcher.poster  # it looks at no queue before the next block
        return bool(quoted == block and (poster._looked_block == block or block < poster._next_block))

    await eventually(settled)
