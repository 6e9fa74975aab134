"""Pool, transactions and migrations on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from aligned.core.errors import DependencyError, InvariantError
from aligned.storage.migrate import apply_migrations
from aligned.storage.postgres import Connection, Database, migrate


async def _apply(db: Database, root: Path) -> list[str]:
    async with db.transaction() as conn:
        return await apply_migrations(conn, "role", root)


async def _insert_and_fail(db: Database) -> None:
    async with db.transaction() as conn:
        await conn.execute("INSERT INTO t VALUES (1)")
        raise RuntimeError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "role").mkdir()
    (tmp_path / "role" / "0001_first.sql").write_text("CREATE TABLE a (n INT); CREATE TABLE b (n INT);")
    return tmp_path


async def test_transaction__error_inside__rolls_back(database: Database) -> None:
    async with database.transaction() as conn:
        await conn.execute("CREATE TABLE t (n INT UNIQUE)")
    with pytest.raises(RuntimeError):
        await _insert_and_fail(database)
    async with database.transaction() as conn:
        found = await conn.execute("SELECT count(*) AS n FROM t")
        assert await found.fetchall() == [{"n": 0}]


async def test_transaction__constraint_violation__passes_as_it_is(database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO chain_cursor VALUES ('a', 1, -1)")


async def test_transaction__connection_killed__is_retryable_and_the_pool_recovers(database: Database) -> None:
    with pytest.raises(DependencyError) as caught:
        async with database.transaction() as conn:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert (caught.value.code, caught.value.retryable) == ("database_unavailable", True)
    async with database.transaction() as conn:
        assert await (await conn.execute("SELECT 1 AS one")).fetchone() == {"one": 1}


async def _session_of(url: str) -> dict[str, str]:
    async with Database(url) as db, db.transaction() as conn:
        found = await conn.execute(
            "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,"
            " current_setting('idle_in_transaction_session_timeout') AS idle"
        )
        return await found.fetchone() or {}


async def test_database__session__has_time_limits(postgres: str) -> None:
    assert await _session_of(postgres) == {"statement": "30s", "lock": "15s", "idle": "1min"}


async def test_database__limit_in_the_url__wins(postgres: str) -> None:
    url = f"{postgres}&options=-c%20statement_timeout%3D7s"
    assert await _session_of(url) == {"statement": "7s", "lock": "15s", "idle": "1min"}


async def test_transaction__lock_held_by_another__is_retryable_after_the_limit(database: Database) -> None:
    async with database.transaction() as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(DependencyError, match="LockNotAvailable"):
            async with database.transaction() as conn:
                await conn.execute("SET LOCAL lock_timeout = '50ms'")
                await conn.execute("SELECT pg_advisory_xact_lock(1)")


async def test_transaction__idle_too_long__is_retryable_and_the_pool_recovers(database: Database) -> None:
    with pytest.raises(DependencyError):
        async with database.transaction() as conn:
            await conn.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            await asyncio.sleep(0.3)
            await conn.execute("SELECT 1")
    async with database.transaction() as conn:
        assert await (await conn.execute("SELECT 1 AS one")).fetchone() == {"one": 1}


async def test_migrate__time_limits_of_the_session__do_not_apply(database: Database, root: Path) -> None:
    (root / "role" / "0001_first.sql").write_text("SELECT pg_sleep(0.3);")
    async with database.transaction() as conn:
        await conn.execute("SET LOCAL statement_timeout = '100ms'")
        assert await apply_migrations(conn, "role", root) == ["0001_first.sql"]


async def test_database__nobody_listens__is_a_dependency_error() -> None:
    with pytest.raises(DependencyError, match="database_unavailable"):
        await Database("postgresql://postgres@127.0.0.1:1/x", timeout_s=0.5).open()


async def test_database__not_open__says_so() -> None:
    with pytest.raises(InvariantError, match="open"):
        Database("postgresql:///x").pool()


async def test_migrate__role_of_its_own__common_tables_come_first_and_once(postgres: str) -> None:
    async with Database(postgres) as db:
        assert "0001_chain.sql" in await migrate(db, "none")
        assert await migrate(db, "none") == []


async def test_migrate__two_processes_at_once__applied_once(postgres: str) -> None:
    async with Database(postgres) as one, Database(postgres) as two:
        results = await asyncio.gather(migrate(one, "none"), migrate(two, "none"))
    assert min(len(names) for names in results) == 0


async def test_migrations__second_file__applied_alone(database: Database, root: Path) -> None:
    assert await _apply(database, root) == ["0001_first.sql"]
    (root / "role" / "0002_second.sql").write_text("ALTER TABLE a ADD COLUMN m INT;")
    assert await _apply(database, root) == ["0002_second.sql"]


async def test_migrations__applied_file_changed__is_refused(database: Database, root: Path) -> None:
    await _apply(database, root)
    (root / "role" / "0001_first.sql").write_text("CREATE TABLE a (n INT);")
    with pytest.raises(InvariantError, match="migration_changed"):
        await _apply(database, root)


async def test_migrations__applied_file_gone__is_refused(database: Database, root: Path) -> None:
    await _apply(database, root)
    (root / "role" / "0001_first.sql").unlink()
    with pytest.raises(InvariantError, match="migration_missing"):
        await _apply(database, root)


async def test_migrations__broken_file__leaves_nothing_behind(database: Database, root: Path) -> None:
    (root / "role" / "0002_broken.sql").write_text("CREATE TABLE c (n INT); SELECT no_such_function();")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        await _apply(database, root)
    async with database.transaction() as conn:
        found = await conn.execute("SELECT to_regclass('a') AS a, to_regclass('c') AS c")
        assert await found.fetchone() == {"a": None, "c": None}


@pytest.mark.parametrize(
    ("name", "code"),
    [("0003_gap.sql", "migration_gap"), ("2_x.sql", "migration_name"), ("0002_x.sq", "migration_name")],
)
async def test_migrations__wrong_file_name__is_refused(
    database: Database, root: Path, name: str, code: str
) -> None:
    (root / "role" / name).write_text("SELECT 1;")
    with pytest.raises(InvariantError, match=code):
        await _apply(database, root)


async def _two_rows(db: Database) -> None:
    async with db.transaction() as conn:
        await conn.execute("CREATE TABLE t (n INT PRIMARY KEY, value INT DEFAULT 0)")
        await conn.execute("INSERT INTO t (n) VALUES (1), (2)")


def _raise_both(rows: tuple[int, int], met: asyncio.Barrier) -> Callable[[Connection], Awaitable[None]]:
    """Work that holds the first row when the other work holds the second."""
    first = True

    async def work(conn: Connection) -> None:
        nonlocal first
        await conn.execute("UPDATE t SET value = value + 1 WHERE n = %s", (rows[0],))
        if first:
            first = False
            await met.wait()
        await conn.execute("UPDATE t SET value = value + 1 WHERE n = %s", (rows[1],))

    return work


async def test_run__two_transactions_wait_for_each_other__both_are_done_once(database: Database) -> None:
    await _two_rows(database)
    met = asyncio.Barrier(2)
    await asyncio.gather(database.run(_raise_both((1, 2), met)), database.run(_raise_both((2, 1), met)))
    assert database.repeats == 1
    async with database.transaction() as conn:
        found = await conn.execute("SELECT n, value FROM t ORDER BY n")
        assert await found.fetchall() == [{"n": 1, "value": 2}, {"n": 2, "value": 2}]


async def test_run__never_serialisable__is_retryable_after_a_few_attempts(database: Database) -> None:
    calls = 0

    async def work(conn: Connection) -> None:
        nonlocal calls
        calls += 1
        raise psycopg.errors.SerializationFailure

    with pytest.raises(DependencyError) as caught:
        await database.run(work)
    assert (caught.value.code, calls, database.repeats) == ("database_unavailable", 6, 5)


async def test_run__cancelled_between_attempts__leaves_nothing_and_the_pool_is_whole(
    database: Database,
) -> None:
    await _two_rows(database)
    began = asyncio.Event()

    async def work(conn: Connection) -> None:
        await conn.execute("UPDATE t SET value = 7")
        began.set()
        await asyncio.sleep(60)

    running = asyncio.create_task(database.run(work))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with database.transaction() as conn:
        found = await conn.execute("SELECT sum(value) AS total FROM t")
        assert await found.fetchone() == {"total": 0}


async def test_run__constraint_violation__passes_as_it_is_after_one_call(database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await database.run(lambda conn: conn.execute("INSERT INTO chain_cursor VALUES ('a', 1, -1)"))
    assert database.repeats == 0
