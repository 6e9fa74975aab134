"""Nodes and senders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from eth_account.signers.local import LocalAccount

from aligned.chain.client import ChainClient
from aligned.chain.sender import TxSender
from aligned.storage.postgres import Database
from tests.integration.chain.sending import Make
from tests.integration.node import Anvil


@pytest.fixture
def manual() -> Iterator[Anvil]:
    """A node that mines only when told to."""
    with Anvil("--no-mining") as node:
        yield node


@pytest_asyncio.fixture
async def make(database: Database) -> AsyncIterator[Make]:
    clients: list[ChainClient] = []

    def build(node: Anvil, account: LocalAccount, **options: Any) -> TxSender:
        # A node takes its time for its first blob.
        clients.append(ChainClient([node.url], node.chain_id, timeout_s=60))
        return TxSender(database, clients[-1], account, **({"poll_s": 0.02} | options))

    yield build
    for client in clients:
        await client.close()
