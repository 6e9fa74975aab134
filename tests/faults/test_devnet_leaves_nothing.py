"""A devnet that is stopped, or killed, leaves no process behind; what dies under it is started again, or it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

END_S = 40.0


def command_line(pid: int) -> bytes:
    """Empty for a process that is gone or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def start_devnet(home: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aligned.cli.main", "devnet", "--home", str(home), "--operators", "2"),
        *("--rpc-port", "0", "--batcher-port", "0", "--gateway-port", "0"),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    seen = b""
    while b"ready" not in seen:
        line = await process.stderr.readline()
        assert line, seen.decode()
        seen += line
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; other systems have no parent-death signal")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_devnet__stopped_or_killed__all_its_processes_end(
    tmp_path: Path, signum: signal.Signals
) -> None:
    process = await start_devnet(tmp_path / "home")
    below = psutil.Process(process.pid).children(recursive=True)
    children = {child.pid: command_line(child.pid) for child in below}
    assert len(children) >= 6, "anvil, PostgreSQL, batcher, aggregator and two operators"
    process.send_signal(signum)
    await process.wait()
    deadline = time.monotonic() + END_S
    while alive := {pid: line for pid, line in children.items() if line and command_line(pid) == line}:
        assert time.monotonic() < deadline, alive
        await asyncio.sleep(0.1)


def child_with(devnet: asyncio.subprocess.Process, words: bytes) -> int:
    """Process id of the direct child whose command line holds these words."""
    direct = psutil.Process(devnet.pid).children()
    lines = {child.pid: command_line(child.pid).replace(b"\0", b" ") for child in direct}
    found = [pid for pid, line in lines.items() if words in line]
    assert len(found) == 1, lines
    return found[0]


async def lines_until(process: asyncio.subprocess.Process, words: bytes) -> bytes:
    """What it says, until it says this."""
    assert process.stderr is not None
    seen = b""
    while words not in seen:
        line = await asyncio.wait_for(process.stderr.readline(), 4 * END_S)
        assert line, seen.decode()
        seen += line
    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_devnet__a_role_and_then_the_chain_die__role_started_again_then_the_end_is_said(
    tmp_path: Path,
) -> None:
    process = await start_devnet(tmp_path / "home")
    try:
        # The line of "ready" is followed by two more; then it looks after its processes.
        await lines_until(process, b"Ctrl-C ends it")
        first = child_with(process, b"aligned.cli.main gateway")
        os.kill(first, signal.SIGKILL)
        said = await lines_until(process, b"gateway started again")
        assert b"gateway ended" in said
        assert child_with(process, b"aligned.cli.main gateway") != first
        os.kill(child_with(process, b"/anvil "), signal.SIGKILL)
        said = await lines_until(process, b"devnet_child_ended")
        assert b"anvil ended" in said
        assert await asyncio.wait_for(process.wait(), END_S) == 3
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
