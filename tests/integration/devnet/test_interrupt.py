"""Ctrl-C while a devnet begins: it ends at once, and nothing of it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from aligned.devnet.ports import is_free
from aligned.devnet.process import free_port

DEVNET = (sys.executable, "-m", "aligned.cli.main", "devnet", "--batcher-port", "0", "--gateway-port", "0")


@pytest.mark.parametrize("step", ["deploying contracts", "starting PostgreSQL", "starting batcher"])
def test_devnet__interrupted_while_it_begins__ends_before_it_is_ready(step: str, tmp_path: Path) -> None:
    port = free_port()
    argv = [*DEVNET, "--home", str(tmp_path / "home"), "--rpc-port", str(port)]
    devnet = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert devnet.stderr is not None
    said = ""
    while step not in said:
        line = devnet.stderr.readline()
        assert line, said
        said += line
    children = psutil.Process(devnet.pid).children(recursive=True)
    devnet.send_signal(signal.SIGINT)
    out, rest = devnet.communicate(timeout=300)
    assert (devnet.returncode, out.split()) == (0, ["stopped", "True"]), said + rest
    assert "ready" not in said + rest
    assert is_free(port)
    _gone, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
