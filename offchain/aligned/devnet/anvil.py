"""A local chain: anvil as a child process, and the few cheats that a devnet needs."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from aligned.chain.client import ChainClient, hex_bytes
from aligned.core.errors import TIMEOUT, DependencyError, ProtocolError
from aligned.devnet.ports import PORT_IN_USE, is_free
from aligned.devnet.process import ManagedProcess, free_port

CHAIN_ID: Final = 31_337
_START_TIMEOUT_S = 60.0
_LOOK_S = 0.1
_DEPENDENCY = "anvil_unavailable"


class Anvil:
    """A chain of our own on 127.0.0.1.

    Args:
        port: 0 takes a free one.
        block_time_s: a block comes this often, with or without transactions; 0: one with every transaction.
        chain_id: 31337 unless a test stands in for another network.
        extra: more command line arguments.
    """

    def __init__(
        self,
        log_path: Path,
        *,
        port: int = 0,
        block_time_s: int = 0,
        chain_id: int = CHAIN_ID,
        extra: tuple[str, ...] = (),
    ) -> None:
        self.port = port or free_port()
        self.chain_id = chain_id
        argv = [anvil_binary(), "--host", "127.0.0.1", "--port", str(self.port), "--chain-id", str(chain_id)]
        argv += ["--block-time", str(block_time_s)] if block_time_s else []
        argv += extra
        self.process = ManagedProcess("anvil", argv, log_path)

    @property
    def url(self) -> str:
        """JSON-RPC endpoint."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and waits until it answers.

        Raises:
            DependencyError: it ended or does not answer in time. ProtocolError: port_in_use.
        """
        if not is_free(self.port):
            raise ProtocolError(
                PORT_IN_USE, f"port {self.port} is in use by another program; 0 takes a free one"
            )
        earlier = self._log_size()
        self.process.start()
        await self._wait_until_it_listens(earlier)
        await wait_for_rpc(self.url, self.chain_id, self.process)
        async with ChainClient([self.url], self.chain_id) as chain:
            await chain.rpc("anvil_setLoggingEnabled", False)

    async def _wait_until_it_listens(self, earlier: int) -> None:
        """By its own word: an answer on the port may come from another node, which must not be touched."""
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        wanted = f"Listening on 127.0.0.1:{self.port}".encode()
        while self._log_size() <= earlier or wanted not in self.process.log_path.read_bytes()[earlier:]:
            if not self.process.is_running():
                raise DependencyError(_DEPENDENCY, f"anvil ended at start\n{self.process.log_tail()}")
            if asyncio.get_running_loop().time() > deadline:
                raise DependencyError(TIMEOUT, f"anvil does not listen after {_START_TIMEOUT_S:.0f} s")
            await asyncio.sleep(_LOOK_S)

    def _log_size(self) -> int:
        path = self.process.log_path
        return path.stat().st_size if path.exists() else 0


async def wait_for_rpc(url: str, chain_id: int, process: ManagedProcess | None = None) -> None:
    """Waits until `url` serves `chain_id`.

    Raises:
        DependencyError: the process ended, or no answer in time.
    """
    deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
    while True:
        try:
            async with ChainClient([url], chain_id, timeout_s=2) as chain:
                await chain.block_number()
        except DependencyError as error:
            if process is not None and not process.is_running():
                raise DependencyError(_DEPENDENCY, f"anvil ended at start\n{process.log_tail()}") from error
            if asyncio.get_running_loop().time() > deadline:
                raise DependencyError(TIMEOUT, f"no chain {chain_id} at {url}: {error.message}") from error
            await asyncio.sleep(_LOOK_S)
        else:
            if process is not None and not process.is_running():
                raise DependencyError(_DEPENDENCY, f"anvil ended at start\n{process.log_tail()}")
            return


def anvil_binary() -> str:
    """Path of anvil: beside this Python (the set-up links it there), else on PATH.

    Raises:
        DependencyError: it is in neither place.
    """
    beside = Path(sys.executable).with_name("anvil")
    found = str(beside) if beside.exists() else shutil.which("anvil")
    if found is None:
        raise DependencyError(_DEPENDENCY, "no anvil beside Python or on PATH; run `make setup`")
    return found


class Cheats:
    """What only a development chain can do."""

    def __init__(self, chain: ChainClient) -> None:
        self._chain = chain

    async def set_balance(self, address: bytes, balance_wei: int) -> None:
        """Gives an account this balance."""
        await self._ask("anvil_setBalance", hex_bytes(address), hex(balance_wei))

    async def set_code(self, address: bytes, code: bytes) -> None:
        """Puts runtime code at an address."""
        await self._ask("anvil_setCode", hex_bytes(address), hex_bytes(code))

    async def set_storage(self, address: bytes, slot: int, value: bytes) -> None:
        """Writes one storage slot."""
        await self._ask(
            "anvil_setStorageAt", hex_bytes(address), f"0x{slot:064x}", hex_bytes(value.rjust(32, b"\0"))
        )

    async def mine_every(self, seconds: int) -> None:
        """From now on a block comes this often, with or without transactions."""
        await self._ask("evm_setAutomine", False)
        await self._ask("evm_setIntervalMining", seconds)

    async def mine_on_demand(self) -> None:
        """From now on every transaction makes a block."""
        await self._ask("evm_setIntervalMining", 0)
        await self._ask("evm_setAutomine", True)

    async def mine(self, blocks: int = 1) -> None:
        """Adds blocks now."""
        await self._ask("anvil_mine", hex(blocks))

    async def reorganise(self, depth: int) -> None:
        """Replaces the newest `depth` blocks by as many empty ones: what was in them never happened."""
        await self._ask("anvil_reorg", depth, [])

    async def advance_time(self, seconds: int) -> None:
        """Moves the chain's clock forward and adds a block."""
        await self._ask("evm_increaseTime", hex(seconds))
        await self.mine()

    async def _ask(self, method: str, *params: object) -> Any:
        return await self._chain.rpc(method, *params)
