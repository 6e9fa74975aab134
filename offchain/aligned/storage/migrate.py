"""Forward-only SQL migrations: storage/migrations/<group>/NNNN_name.sql, checksummed once applied."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import DictRow

from aligned.core.errors import InvariantError

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
_FILE_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
# Any constant will do, as long as every process of this package uses the same one.
_LOCK_ID = 0x616C69676E6564

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    migration_group TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    name TEXT NOT NULL,
    checksum BYTEA NOT NULL CHECK (octet_length(checksum) = 32),
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (migration_group, number)
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    name: str
    sql: bytes

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.sql).digest()


def load_migrations(group: str, root: Path = MIGRATIONS_DIR) -> list[Migration]:
    """The files of `group` in order; an absent folder is an empty group.

    Raises:
        InvariantError: a file that is not called NNNN_name.sql, or a gap in the numbers.
    """
    found = []
    for path in sorted((root / group).glob("*")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise InvariantError("migration_name", f"{path.name} is not called NNNN_name.sql")
        found.append(Migration(int(match[1]), path.name, path.read_bytes()))
    if [item.number for item in found] != list(range(1, len(found) + 1)):
        raise InvariantError("migration_gap", f"{group}: numbers are {[item.number for item in found]}")
    return found


async def apply_migrations(
    conn: psycopg.AsyncConnection[DictRow], group: str, root: Path = MIGRATIONS_DIR
) -> list[str]:
    """Applies what is missing, inside the caller's transaction.

    Returns:
        Names of the files applied now.

    Raises:
        InvariantError: see `load_migrations`; also an applied file that changed or vanished.
    """
    migrations = load_migrations(group, root)
    # A migration, and the wait for another process that runs one, may take as long as they take.
    await conn.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_ID,))
    await conn.execute(_CREATE_TABLE)
    cursor = await conn.execute(
        "SELECT number, name, checksum FROM schema_migration WHERE migration_group = %s ORDER BY number",
        (group,),
    )
    applied = await cursor.fetchall()
    _check_applied(group, applied, migrations)
    for migration in migrations[len(applied) :]:
        await conn.execute(migration.sql)
        await conn.execute(
            "INSERT INTO schema_migration (migration_group, number, name, checksum) VALUES (%s, %s, %s, %s)",
            (group, migration.number, migration.name, migration.checksum),
        )
    return [migration.name for migration in migrations[len(applied) :]]


def _check_applied(group: str, applied: list[DictRow], migrations: list[Migration]) -> None:
    if len(applied) > len(migrations):
        raise InvariantError(
            "migration_missing", f"{group}: the database has {applied[-1]['name']}, we do not"
        )
    for row, migration in zip(applied, migrations, strict=False):
        if row["checksum"] != migration.checksum:
            raise InvariantError(
                "migration_changed", f"{group}/{migration.name} differs from what was applied"
            )
