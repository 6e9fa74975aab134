"""A local chain: anvil as a child process, and the few cheats that a devnet needs."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from aligned.chain.client import ChainClient, hex_bytes
from aligned.core.errors import TIMEOUT, DependencyError
from aligned.devnet.process import ManagedProcess, free_port

CHAIN_ID: Final = 31_337
_START_TIMEOUT_S = 30.0
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
        argv += ["--silent", *extra]
        self.process = ManagedProcess("anvil", argv, log_path)

    @property
    def url(self) -> str:
        """JSON-RPC endpoint."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and waits until it answers.

        Raises:
            DependencyError: it ended or does not answer in time.
        """
        self.process.start()
        await wait_for_rpc(self.url, self.chain_id, self.process)


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
            await asyncio.sleep(0.1)
        else:
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
