"""The embedded server: fast, owned by one process, and back after any kind of end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from aligned.core.errors import InvariantError
from aligned.storage.embedded import EmbeddedPostgres

_OWNER = """
import sys, time
from pathlib import Path
from aligned.storage.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.url("kept"), flush=True)
time.sleep(600)
"""


def _server_pid(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().splitlines()[0])


def _ends(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.02)


def test_embedded__restart__keeps_data_and_leaves_no_process(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with EmbeddedPostgres(data_dir, durable=False) as server:
        pid = _server_pid(data_dir)
        with psycopg.connect(server.url("kept")) as conn:
            conn.execute("CREATE TABLE t AS SELECT 7 AS n")
    assert not Path(f"/proc/{pid}").exists()
    with EmbeddedPostgres(data_dir, durable=False) as server, psycopg.connect(server.url("kept")) as conn:
        assert conn.execute("SELECT n FROM t").fetchone() == (7,)


def test_embedded__odd_database_name__is_created(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres(tmp_path / "data", durable=False) as server,
        psycopg.connect(server.url('a "b" %?/')) as conn,
    ):
        assert conn.execute("SELECT current_database()").fetchone() == ('a "b" %?/',)


def test_embedded__owner_killed__server_ends_and_next_start_works(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE t AS SELECT 1")
    pid = _server_pid(data_dir)
    owner.kill()
    owner.communicate()
    _ends(pid)
    with EmbeddedPostgres(data_dir, durable=False) as server, psycopg.connect(server.url("kept")) as conn:
        assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_embedded__server_killed__next_start_recovers(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with EmbeddedPostgres(data_dir, durable=False) as server:
        with psycopg.connect(server.url("kept")) as conn:
            conn.execute("CREATE TABLE t AS SELECT 1")
        pid = _server_pid(data_dir)
        os.kill(pid, signal.SIGKILL)
        _ends(pid)
    with EmbeddedPostgres(data_dir, durable=False) as server, psycopg.connect(server.url("kept")) as conn:
        assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_embedded__stale_pid_file_names_a_foreign_process__start_works(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with EmbeddedPostgres(data_dir, durable=False):
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())
    (data_dir / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert psycopg.connect(server.url("postgres")).execute("SELECT 1").fetchone() == (1,)


def test_embedded__orphaned_server__is_replaced(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    owner.stdout.readline()
    pid = _server_pid(data_dir)
    watchdog = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    # Stopped, so that it cannot shut the server down when its owner dies.
    os.killpg(watchdog, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    owner.kill()
    owner.communicate()
    with EmbeddedPostgres(data_dir, durable=False):
        assert _server_pid(data_dir) != pid
    os.killpg(watchdog, signal.SIGCONT)


def test_embedded__folder_of_a_live_owner__is_refused(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres(tmp_path / "data", durable=False),
        pytest.raises(InvariantError, match="live process"),
    ):
        EmbeddedPostgres(tmp_path / "data").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to another user")
def test_embedded__as_ordinary_user__works(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "import psycopg\nfrom aligned.storage.embedded import EmbeddedPostgres\n"
        "assert os.geteuid() == 65534\n"
        "with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as s:\n"
        "    print(psycopg.connect(s.url('x')).execute('SELECT 6 * 7').fetchone())\n"
    )
    # The capability only lets the child read this checkout and tmp_path; PostgreSQL sees an ordinary user.
    ids = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ]
    done = subprocess.run(
        ["setpriv", *ids, sys.executable, "-c", script, str(home / "data")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "(42,)\n"), done.stderr
