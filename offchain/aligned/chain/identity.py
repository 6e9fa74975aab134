"""Keeps a database from being used with another chain of the same id, such as a devnet that was started anew."""

from __future__ import annotations

from aligned.chain.client import ChainClient, hex_bytes
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, InvariantError
from aligned.storage.postgres import Connection

DATABASE_OF_ANOTHER_CHAIN = "database_of_another_chain"


async def check_identity(conn: Connection, client: ChainClient) -> None:
    """Compares the chain's genesis block with the one that the database has seen first.

    Raises:
        InvariantError: database_of_another_chain. Journal and cursors would be wrong; take a fresh database.
        DependencyError: the node has no block 0.
    """
    genesis = await client.get_block(0)
    if genesis is None:
        raise DependencyError(CHAIN_UNAVAILABLE, "node has no genesis block")
    await conn.execute(
        "INSERT INTO chain_identity (chain_id, genesis_hash) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (client.chain_id, genesis.hash),
    )
    found = await conn.execute(
        "SELECT genesis_hash FROM chain_identity WHERE chain_id = %s", (client.chain_id,)
    )
    row = await found.fetchone()
    if row is None or row["genesis_hash"] != genesis.hash:
        known = "none" if row is None else hex_bytes(row["genesis_hash"])
        raise InvariantError(
            DATABASE_OF_ANOTHER_CHAIN,
            f"genesis of chain {client.chain_id} is {hex_bytes(genesis.hash)}, this database knows {known}",
        )
