"""Child processes of the devnet: started with a log file, ended by pid, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from aligned.core.errors import TIMEOUT, DependencyError

LOG_TAIL_BYTES = 2_000
# Linux: the kernel ends the child when the thread that started it ends, however that came about.
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


# Below the range from which systems take the local ports of outgoing connections: those come and go at any moment.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A TCP port that is free on 127.0.0.1 right now and that nobody takes by chance."""
    for _ in range(1_000):
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise DependencyError("no_free_port", f"none of {_PORTS.start} to {_PORTS.stop - 1}")


class ManagedProcess:
    """One child process. It dies with its parent, also when the parent is killed (Linux).

    Args:
        name: for logs and errors.
        argv: command line.
        log_path: file that stdout and stderr are appended to.
        env: additions to this process's environment.
    """

    def __init__(
        self, name: str, argv: Sequence[str], log_path: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._argv = list(argv)
        self._env = dict(env or {})
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child and self.is_running() else None

    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Starts it; a running one is left alone."""
        if self.is_running():
            return
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._child = subprocess.Popen(
                [*_guard(), *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._env,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL and reap, as a power cut would."""
        self._end(signal.SIGKILL, timeout_s=10)

    def stop(self, timeout_s: float = 10) -> None:
        """SIGTERM, and SIGKILL when it does not end in time."""
        self._end(signal.SIGTERM, timeout_s)

    def _end(self, signum: signal.Signals, timeout_s: float) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.send_signal(signum)
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(timeout_s)

    def log_tail(self) -> str:
        """The last lines of its log."""
        return tail(self.log_path)

    async def wait_ready(self, url: str, timeout_s: float) -> None:
        """Waits until a GET of `url` answers 200.

        Raises:
            DependencyError: it ended, or was not ready in time; the message ends with its last log lines.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            while asyncio.get_running_loop().time() < deadline:
                if not self.is_running():
                    raise DependencyError("role_ended", f"{self.name} ended at start\n{self.log_tail()}")
                # Asked again afterwards: another program may have answered on a port that this one could not get.
                if await _answers_ok(http, url) and self.is_running():
                    return
                await asyncio.sleep(0.1)
        raise DependencyError(TIMEOUT, f"{self.name} is not ready after {timeout_s:.0f} s\n{self.log_tail()}")


async def to_its_end(step: Callable[[], None]) -> None:
    """Does a step in a thread. One that is cancelled is waited for: what it starts must be ended."""
    doing = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait((doing,))
        raise


def tail(log_path: Path) -> str:
    """The last lines of a log, "" if there is none."""
    return log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if log_path.exists() else ""


async def _answers_ok(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _guard() -> tuple[str, ...]:
    return _DIE_WITH_PARENT if shutil.which(_DIE_WITH_PARENT[0]) else ()
