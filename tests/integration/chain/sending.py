"""Looking at what the sender does: its journal and the node's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from aligned.chain.sender import TxSender
from aligned.storage.postgres import Database
from tests.integration.node import Anvil

Make = Callable[..., TxSender]
WORD = b"\x01" * 32


async def attempts_of(database: Database, key: str) -> list[dict[str, Any]]:
    """All signed forms of a request, oldest first."""
    async with database.transaction() as conn:
        found = await conn.execute("SELECT * FROM tx_attempt WHERE key = %s ORDER BY number", (key,))
        return await found.fetchall()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(240):
        while not await condition():  # noqa: ASYNC110 - it looks at a node and a database
            await asyncio.sleep(0.02)


async def until_attempts(database: Database, key: str, number: int) -> None:
    """Waits for so many signed forms."""

    async def reached() -> bool:
        return len(await attempts_of(database, key)) >= number

    await until(reached)


def pending(node: Anvil) -> int:
    """Transactions in the node's queue."""
    return int(node.rpc("txpool_status")["pending"], 16)


async def until_pending(node: Anvil, number: int = 1) -> None:
    """Waits for so many transactions in the node's queue."""

    async def reached() -> bool:
        return pending(node) >= number

    await until(reached)


def foreign(node: Anvil, account: LocalAccount, nonce: int, gas_price_gwei: int = 200) -> str:
    """Another program sends from the same account."""
    fields: dict[str, Any] = {
        "nonce": nonce,
        "to": b"\xee" * 20,
        "value": 1,
        "gas": 21_000,
        "gasPrice": gas_price_gwei * 10**9,
        "chainId": node.chain_id,
    }
    signed = account.sign_transaction(fields)
    return str(node.rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex()))
