"""The database that the settings name, ready for a role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from aligned.core.errors import ProtocolError
from aligned.core.text import decode_text
from aligned.settings import INVALID_SETTINGS, DatabaseSettings
from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.postgres import Database, migrate
from aligned.storage.shared import SharedPostgres

# The roles of aggregation mode work on one database.
_SHARED = frozenset({"aggregation"})


@asynccontextmanager
async def open_database(settings: DatabaseSettings, role: str) -> AsyncIterator[Database]:
    """An open database with the schema of `role`; an embedded server is started (or joined) when no URL is given.

    Raises:
        ProtocolError: invalid_settings for an unreadable `url_file`.
        DependencyError: the server does not answer or does not start.
    """
    with ExitStack() as stack:
        url = configured_url(settings)
        if url is None:
            server = _embedded(settings, role)
            stack.enter_context(server)
            url = await asyncio.to_thread(server.url, role)
        async with Database(url, max_size=settings.pool_max) as db:
            await migrate(db, role)
            yield db


def _embedded(settings: DatabaseSettings, role: str) -> EmbeddedPostgres | SharedPostgres:
    folder = settings.data_dir / role
    return SharedPostgres(folder) if role in _SHARED else EmbeddedPostgres(folder)


def configured_url(settings: DatabaseSettings) -> str | None:
    """The URL that the settings or their file have; None: an embedded server is meant.

    Raises:
        ProtocolError: invalid_settings for an unreadable `url_file`.
    """
    if settings.url is not None:
        return settings.url.get_secret_value()
    if settings.url_file is None:
        return None
    try:
        return decode_text(settings.url_file.read_bytes(), str(settings.url_file)).strip()
    except OSError as error:
        raise ProtocolError(INVALID_SETTINGS, f"database.url_file: {error}") from error
