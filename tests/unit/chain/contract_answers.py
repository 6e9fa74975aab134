"""A client whose contracts answer what the test says, and web3's codec to compare with."""

from __future__ import annotations

from typing import Any, cast

from eth_abi import encode
from web3 import Web3

from aligned.chain.abi import load_abi
from aligned.chain.client import BlockId, ChainClient, Contract
from aligned.chain.types import LogEntry


class Answers:
    """Answers every call with the same values and notes what was asked."""

    def __init__(self, types: list[str], *values: object) -> None:
        self.data = encode(types, values)
        self.asked: list[tuple[str, tuple[object, ...], BlockId]] = []

    async def call(
        self, contract: Contract, fn: str, args: tuple[object, ...] = (), block: BlockId = "latest"
    ) -> Any:
        function = contract.abi.functions[fn]
        function.encode(*args)
        self.asked.append((fn, args, block))
        values = function.decode(self.data)
        return values[0] if len(values) == 1 else values


def client(types: list[str], *values: object) -> ChainClient:
    return cast("ChainClient", Answers(types, *values))


def web3_calldata(name: str, fn: str, *args: object) -> bytes:
    contract = Web3().eth.contract(abi=load_abi(name))
    return bytes.fromhex(contract.encode_abi(fn, args=list(args))[2:])


def log(topics: list[bytes], data: bytes) -> LogEntry:
    return LogEntry(bytes(20), topics, data, 5, b"\x44" * 32, b"\x55" * 32, 6)
