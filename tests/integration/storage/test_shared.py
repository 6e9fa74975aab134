"""One embedded server for several roles: joined by the next, and back when its owner ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from aligned.core.errors import DependencyError
from aligned.settings import DatabaseSettings
from aligned.storage.connect import open_database
from aligned.storage.embedded import EMBEDDED_FAILED, EmbeddedPostgres
from aligned.storage.shared import SharedPostgres

_OWNER = """
import sys, time
from pathlib import Path
from aligned.storage.shared import SharedPostgres
server = SharedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.url("kept"), flush=True)
time.sleep(600)
"""


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _rows(url: str) -> int | None:
    """Rows of the table; None while nobody answers."""
    try:
        with psycopg.connect(url) as conn:
            row = conn.execute("SELECT count(*) FROM t").fetchone()
    except psycopg.OperationalError:
        return None
    return None if row is None else int(row[0])


# Long enough that the socket cannot be in the data folder.
@pytest.mark.parametrize("name", ["data", "d" * 90])
def test_shared__owner_stops__the_other_goes_on_at_the_same_url(tmp_path: Path, name: str) -> None:
    first, second = (SharedPostgres(tmp_path / name, durable=False) for _ in range(2))
    first.start()
    with psycopg.connect(first.url("kept")) as conn:
        conn.execute("CREATE TABLE t AS SELECT 7 AS n")
    with second:
        url = second.url("kept")
        assert url == first.url("kept")
        assert _rows(url) == 1
        first.stop()
        _until(lambda: _rows(url) == 1)
    assert _rows(url) is None


@pytest.mark.parametrize("name", ["data", "d" * 90])
def test_shared__owner_killed__the_other_goes_on_at_the_same_url(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-c", _OWNER, str(tmp_path / name)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE t AS SELECT 7 AS n")
    with SharedPostgres(tmp_path / name, durable=False) as other:
        assert other.url("kept") == url
        owner.kill()
        owner.communicate()
        _until(lambda: _rows(url) == 1)


def test_shared__three_start_at_once__share_one_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OWNER, str(tmp_path / "data")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        urls = {process.stdout.readline().strip() for process in processes if process.stdout is not None}
        assert len(urls) == 1
        with psycopg.connect(urls.pop()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def test_open_database__two_roles_of_aggregation__see_each_others_rows(tmp_path: Path) -> None:
    settings = DatabaseSettings(data_dir=tmp_path)
    async with open_database(settings, "aggregation") as one, open_database(settings, "aggregation") as two:
        async with one.transaction() as conn:
            await conn.execute("INSERT INTO accounts (address) VALUES (%s)", (bytes(20),))
        async with two.transaction() as conn:
            assert await (await conn.execute("SELECT next_nonce FROM accounts")).fetchall() == [
                {"next_nonce": 0}
            ]


def test_embedded__socket_folder_that_others_may_write_to__is_refused(tmp_path: Path) -> None:
    open_to_all = tmp_path / "socket"
    open_to_all.mkdir(mode=0o777)
    open_to_all.chmod(0o777)
    server = EmbeddedPostgres(tmp_path / ("d" * 90), durable=False, socket_dir=open_to_all)
    with pytest.raises(DependencyError, match=EMBEDDED_FAILED):
        server.start()
