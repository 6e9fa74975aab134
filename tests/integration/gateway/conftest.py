"""A gateway and an account that has paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from aligned.storage.postgres import Database, migrate
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.submitter import Submitter, pay, submitter


@pytest_asyncio.fixture
async def db(postgres: str) -> AsyncIterator[Database]:
    async with Database(postgres) as db:
        await migrate(db, "aggregation")
        yield db


@pytest_asyncio.fixture
async def user(db: Database) -> Submitter:
    user = submitter()
    await pay(db, user.address)
    return user


@pytest_asyncio.fixture
async def gateway(db: Database, postgres: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_gateway(gateway_settings(postgres, tmp_path), db) as running:
        yield running
