"""A contract at an address, read through a client."""

from __future__ import annotations

from typing import Any

from aligned.chain.abi import contract_abi
from aligned.chain.client import BlockId, ChainClient, Contract
from aligned.chain.deployment import address_bytes
from aligned.chain.types import LogEntry


class BoundContract:
    """A contract at an address, read through a client."""

    abi_name: str

    def __init__(self, client: ChainClient, address: str | bytes) -> None:
        self._client = client
        self.address = address_bytes(address)
        self.contract = Contract(self.address, contract_abi(self.abi_name))

    async def _call(self, fn: str, *args: object, block: BlockId = "latest") -> Any:
        return await self._client.call(self.contract, fn, args, block)

    def _encode(self, fn: str, *args: object) -> bytes:
        return self.contract.abi.functions[fn].encode(*args)

    def topic(self, event: str) -> bytes:
        """Topic 0 of an event."""
        return self.contract.abi.events[event].topic

    def _decode(self, event: str, log: LogEntry) -> dict[str, Any]:
        return self.contract.abi.events[event].decode(log.topics, log.data)
