"""Anvil as a child process, for tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")


def anvil_binary() -> str:
    """Path of anvil: beside this Python, else on PATH."""
    beside = Path(sys.executable).with_name("anvil")
    found = str(beside) if beside.exists() else shutil.which("anvil")
    assert found is not None, "anvil is missing: run make setup"
    return found


_START_S = 120.0


class Anvil:
    """A node on a free port of 127.0.0.1, stopped by its own process handle.

    Args:
        options: further command-line options, e.g. "--no-mining".
    """

    chain_id = 31337

    def __init__(self, *options: str) -> None:
        command = [anvil_binary(), "--host", "127.0.0.1", "--port", "0", *options]
        # A file, because nobody would empty a pipe once the port is known.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        self.url = f"http://127.0.0.1:{self._read_port()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def rpc(self, method: str, *params: object) -> Any:
        """Result of a JSON-RPC call; fails on an error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "error" not in answer, answer
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        """Mines empty blocks, or what is pending."""
        self.rpc("anvil_mine", hex(blocks))

    def new_account(self, ether: int = 100) -> LocalAccount:
        """A fresh account with money."""
        account: LocalAccount = Account.create()
        self.rpc("anvil_setBalance", account.address, hex(ether * 10**18))
        return account

    def nonce(self, address: str) -> int:
        """Transactions that the chain has of `address`."""
        return int(self.rpc("eth_getTransactionCount", address, "latest"), 16)

    def _read_port(self) -> int:
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            match = _LISTENING.search(self._output())
            if match:
                return int(match[1])
            time.sleep(0.02)
        output = self._output()
        self.stop()
        raise AssertionError(f"anvil did not start within {_START_S} s:\n{output}")

    def _output(self) -> str:
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")
