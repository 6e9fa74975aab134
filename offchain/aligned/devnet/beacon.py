"""A stand-in for a beacon node: anvil's blobs under the slots that a client computes from timestamps.

Anvil serves /eth/v1/beacon/blobs by block number and knows no slots. Here a slot is a second, with all blocks of it:
anvil gives those that it mines in one second the same timestamp.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from aligned.storage.serve import LoopbackServer

_TIMEOUT_S = 10.0
_BLOBS = "/eth/v1/beacon/blobs/"


class BeaconStandin(LoopbackServer):
    """HTTP server in front of a development node.

    Args:
        rpc_url: of an anvil.
        port: 0 takes a free one.
    """

    def __init__(self, rpc_url: str, port: int = 0) -> None:
        super().__init__(_Handler, {"node": _Node(rpc_url)}, port)


class _Node:
    """What is asked of anvil."""

    def __init__(self, rpc_url: str) -> None:
        self._url = rpc_url

    def genesis_s(self) -> int:
        return self._timestamp(0)

    def blobs(self, slot: int, query: str) -> dict[str, Any] | None:
        """The blobs of the blocks at a slot; None if none has any."""
        found = [
            blob for number in self._blocks_at(self.genesis_s() + slot) for blob in self._of(number, query)
        ]
        return {"data": found} if found else None

    def _of(self, number: int, query: str) -> list[Any]:
        answer = httpx.get(f"{self._url}{_BLOBS}{number}?{query}", timeout=_TIMEOUT_S, trust_env=False)
        return list(answer.json()["data"]) if answer.is_success else []

    def _blocks_at(self, timestamp_s: int) -> Iterator[int]:
        low, head = 0, int(self._rpc("eth_blockNumber"), 16)
        high = head
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._timestamp(middle) < timestamp_s else (low, middle)
        while low <= head and self._timestamp(low) == timestamp_s:
            yield low
            low += 1

    def _timestamp(self, number: int) -> int:
        """Of a block; before all others for one that the node left out (a fork whose origin lacks it)."""
        block = self._rpc("eth_getBlockByNumber", hex(number), False)
        return 0 if block is None else int(block["timestamp"], 16)

    def _rpc(self, method: str, *params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx.post(self._url, json=body, timeout=_TIMEOUT_S, trust_env=False)
        return answer.raise_for_status().json()["result"]


class _Handler(BaseHTTPRequestHandler):
    node: ClassVar[_Node]
    timeout = 30

    def do_GET(self) -> None:
        """Genesis, clock, blobs; 404 for anything else."""
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if path == "/eth/v1/beacon/genesis":
            self._answer({"data": {"genesis_time": str(self.node.genesis_s())}})
        elif path == "/eth/v1/config/spec":
            self._answer({"data": {"SECONDS_PER_SLOT": "1"}})
        elif path.startswith(_BLOBS) and path.removeprefix(_BLOBS).isdecimal():
            self._answer(self.node.blobs(int(path.removeprefix(_BLOBS)), query))
        else:
            self._answer(None)

    def _answer(self, content: dict[str, Any] | None) -> None:
        body = json.dumps(content or {"code": 404, "message": "not found"}).encode()
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
