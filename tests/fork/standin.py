"""A stand-in for a mainnet node: anvil with chain id 1 and a contract at a real address. No real state."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from aligned.devnet.anvil import anvil_binary
from aligned.devnet.process import free_port

WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
# Answers 18 to every call, as the real contract does to decimals(): PUSH1 18, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
_ANSWERS_18 = "0x60125f5260205ff3"
# Anvil keeps forked storage on disk, by chain and block only. Numbers that mainnet will not reach for 400 years, a new
# one each time: what is cached for them can be mistaken neither for real state nor for that of an earlier stand-in.
_FIRST_BLOCK = 1_000_000_000
_START_TIMEOUT_S = 20.0


class MainnetStandin:
    """The node, a child of this process."""

    def __init__(self) -> None:
        self.block = _FIRST_BLOCK + secrets.randbelow(_FIRST_BLOCK)
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers.

        A node that begins at a high number has no block 0, which Ape asks for: the state is made there and moved to a
        second node that begins at 0.
        """
        self._launch("--number", str(self.block))
        self._ask("anvil_setCode", WETH, _ANSWERS_18)
        self._ask("anvil_mine", "0x2")
        state = self._ask("anvil_dumpState")
        self._end()
        self._launch()
        self._ask("anvil_loadState", state)

    def stop(self) -> None:
        """Ends it and removes what anvil cached of it."""
        self._end()
        cache = Path.home() / ".foundry" / "cache" / "rpc" / "mainnet"
        for offset in range(4):
            shutil.rmtree(cache / str(self.block + offset), ignore_errors=True)

    def _launch(self, *options: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [anvil_binary(), "--host", "127.0.0.1", "--port", str(port), "--chain-id", "1", "--silent"]
        self._process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL)
        self._wait()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                self._ask("eth_chainId")
            except OSError:
                assert self._process is not None
                assert self._process.poll() is None, "anvil ended at start"
                assert time.monotonic() < deadline, f"no answer from {self.url}"
                time.sleep(0.05)
            else:
                return

    def _ask(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as response:
            answer = json.load(response)
        assert "error" not in answer, answer
        return answer["result"]
