"""A gateway for a module's tests, and a fresh account that has paid for each.

A gateway starts verifier processes, so one serves all tests of a module that can share it. They run in one event loop:
`pytestmark = pytest.mark.asyncio(loop_scope="module")`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aligned.gateway import service
from aligned.gateway.service import Gateway, open_context
from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.postgres import Database, migrate
from aligned.verifiers.base import Verdict, valid
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.steps import Verifier, World, numbers
from tests.integration.gateway.submitter import Submitter, pay, submitter

_numbers = itertools.count(1_000)


@pytest.fixture(scope="module")
def database_url(postgres_server: EmbeddedPostgres) -> str:
    """A fresh database."""
    return postgres_server.url(f"gateway_{next(_numbers)}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gateway has its store and spool."""
    return tmp_path_factory.mktemp("gateway")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def db(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as db:
        await migrate(db, "aggregation")
        yield db


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    async with running_gateway(gateway_settings(database_url, folder), db) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def user(db: Database) -> Submitter:
    """An account with ten proofs."""
    user = submitter(next(_numbers))
    await pay(db, user.address)
    return user


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idle(db: Database, database_url: str, folder: Path) -> AsyncIterator[Gateway]:
    settings = gateway_settings(database_url, folder / "idle", verifier_workers=1)
    async with open_context(settings) as context:
        yield Gateway(context)


@pytest.fixture
def fresh(idle: Gateway, db: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Makes worlds with an account of their own."""
    monkeypatch.setattr(service, "_KEPT_S", 0.0)

    async def make(*verdicts: Verdict) -> World:
        monkeypatch.setattr(idle._verification, "_pool", Verifier(list(verdicts) or [valid()]))
        world = World(idle, db, submitter(next(numbers)))
        await pay(db, world.user.address)
        return world

    return make
