"""A devnet touches no program that was there before it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from aligned.chain.client import ChainClient
from aligned.cli.main import cli
from aligned.core.errors import DependencyError, ProtocolError
from aligned.devnet.anvil import Anvil as DevnetAnvil
from aligned.devnet.layout import Layout
from aligned.devnet.ports import PORT_IN_USE, PortWish, is_free, require_free
from aligned.devnet.process import ManagedProcess, free_port
from aligned.devnet.roles import Role
from tests.integration.node import Anvil


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def port_of(node: Anvil) -> int:
    return int(node.url.rpartition(":")[2])


def test_devnet__a_chain_runs_on_its_port__refused_and_the_chain_unchanged(
    anvil: Anvil, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    Layout(home).take().close()
    (home / "report.json").write_text("of an earlier run")
    options = ["--rpc-port", str(port_of(anvil)), "--batcher-port", "0", "--gateway-port", "0"]
    result = CliRunner(mix_stderr=False).invoke(cli, ["devnet", "--home", str(home), *options, "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == PORT_IN_USE
    assert f"port {port_of(anvil)} (the chain)" in error["message"]
    assert "--rpc-port 0 takes a free one" in error["message"]
    assert anvil.rpc("eth_blockNumber") == "0x0"
    assert anvil.rpc("eth_getBalance", "0x" + "11" * 20, "latest") == "0x0"
    assert not (home / "logs").exists()
    assert (home / "report.json").exists()


def test_require_free__several_taken_and_one_wanted_twice__all_named(taken: int) -> None:
    free = free_port()
    wishes = [
        PortWish(taken, "the chain", "--rpc-port"),
        PortWish(free, "the batcher", "--batcher-port"),
        PortWish(free, "the gateway", "--gateway-port"),
        PortWish(0, "nobody", "--other-port"),
    ]
    with pytest.raises(ProtocolError) as error:
        require_free(wishes)
    assert f"port {taken} (the chain) is in use" in error.value.message
    assert f"port {free} is wanted for the gateway and for the batcher" in error.value.message
    assert "nobody" not in error.value.message


def test_is_free__server_has_just_ended__yes() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            assert not is_free(port)
            # The server closes first: its side of the connection stays in TIME_WAIT.
            accepted.close()
            client.recv(1)
    assert is_free(port)


async def test_anvil__another_node_answers_on_the_port_that_it_cannot_get__its_own_word_counts(
    anvil: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at the port came a moment too early."""
    monkeypatch.setattr("aligned.devnet.anvil.is_free", lambda _port: True)
    ours = DevnetAnvil(tmp_path / "anvil.log", port=port_of(anvil))
    with pytest.raises(DependencyError, match="in use"):
        await ours.start()
    assert not ours.process.is_running()


async def test_anvil__free_port__answers_and_does_not_log_requests(tmp_path: Path) -> None:
    ours = DevnetAnvil(tmp_path / "anvil.log")
    try:
        await ours.start()
        size = ours.process.log_path.stat().st_size
        async with ChainClient([ours.url], 31337) as chain:
            for _ in range(50):
                await chain.rpc("eth_gasPrice")
        assert ours.process.log_path.stat().st_size == size
    finally:
        ours.process.stop()


async def test_role__port_is_taken__refused_before_it_is_started(taken: int, tmp_path: Path) -> None:
    process = ManagedProcess("gateway", [sys.executable, "-c", ""], tmp_path / "log")
    with pytest.raises(ProtocolError, match=f"port {taken} of gateway"):
        await Role(process, taken).start()
    assert not process.log_path.exists()
