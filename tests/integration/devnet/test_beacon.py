"""The devnet's stand-in for a beacon node."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from aligned.devnet.beacon import BeaconStandin
from aligned.storage.serve import LoopbackServer

TIMESTAMPS_S = (100, 101, 101, 101, 103)
BLOBS = {2: ["0xaa"], 3: ["0xbb", "0xcc"]}


WAIT_S = 60.0


class Node(BaseHTTPRequestHandler):
    """As anvil: several blocks in one second, blobs by number, 404 for a block without any."""

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if call["method"] == "eth_blockNumber":
            self._answer({"result": hex(len(TIMESTAMPS_S) - 1)})
        else:
            self._answer({"result": {"timestamp": hex(TIMESTAMPS_S[int(call["params"][0], 16)])}})

    def do_GET(self) -> None:
        blobs = BLOBS.get(int(self.path.rpartition("/")[2].partition("?")[0]))
        self._answer({"data": blobs} if blobs else {"code": 404}, 200 if blobs else 404)

    def _answer(self, content: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def beacon() -> Iterator[BeaconStandin]:
    with LoopbackServer(Node, {}, 0) as node, BeaconStandin(node.url) as running:
        yield running


@pytest.mark.parametrize(
    ("slot", "blobs"), [(0, None), (1, ["0xaa", "0xbb", "0xcc"]), (2, None), (3, None), (9, None)]
)
def test_blobs__several_blocks_in_one_second__are_all_of_the_slot(
    beacon: BeaconStandin, slot: int, blobs: list[str] | None
) -> None:
    answer = httpx.get(f"{beacon.url}/eth/v1/beacon/blobs/{slot}?versioned_hashes=0x01", trust_env=False)
    assert (answer.status_code, answer.json().get("data")) == (200 if blobs else 404, blobs)


class SlowNode(Node):
    """Says nothing until the gate is open."""

    asked: threading.Event
    gate: threading.Event

    def do_POST(self) -> None:
        self.asked.set()
        assert self.gate.wait(WAIT_S)
        super().do_POST()


class BrokenNode(Node):
    """What it says is no answer."""

    def do_POST(self) -> None:
        self._answer({"result": 7})


def _wait_for_handlers() -> None:
    """Until every request has been handled to its end."""
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(WAIT_S)
            assert not thread.is_alive()


def test_answer__client_gives_up_before_it__leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    asked, gate = threading.Event(), threading.Event()
    with (
        LoopbackServer(SlowNode, {"asked": asked, "gate": gate}, 0) as node,
        BeaconStandin(node.url) as beacon,
    ):
        with socket.create_connection(("127.0.0.1", int(beacon.url.rpartition(":")[2]))) as client:
            client.sendall(b"GET /eth/v1/beacon/genesis HTTP/1.1\r\n\r\n")
            assert asked.wait(WAIT_S)
            # Closed at once, with a reset: whatever is written from now on fails.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gate.set()
        _wait_for_handlers()
    assert capfd.readouterr().err == ""


def test_answer__a_fault_of_ours__is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        LoopbackServer(BrokenNode, {}, 0) as node,
        BeaconStandin(node.url) as beacon,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(f"{beacon.url}/eth/v1/beacon/genesis", trust_env=False)
    assert "TypeError" in capfd.readouterr().err
