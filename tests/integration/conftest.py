"""A PostgreSQL server and anvil nodes for all integration tests."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.postgres import Database, migrate
from tests.integration.node import Anvil

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the session."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", durable=False) as server:
        yield server


@pytest.fixture
def postgres(postgres_server: EmbeddedPostgres) -> str:
    """URL of a fresh, empty database."""
    return postgres_server.url(f"test_{next(_numbers)}")


@pytest_asyncio.fixture
async def database(postgres: str) -> AsyncIterator[Database]:
    """An open database with the common tables; migrate(db, role) adds a role's."""
    async with Database(postgres) as db:
        await migrate(db, "common_only")
        yield db


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """A fresh anvil that mines each transaction at once."""
    with Anvil() as node:
        yield node
