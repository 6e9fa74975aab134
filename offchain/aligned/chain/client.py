"""Typed reads from Ethereum, and the one call that broadcasts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from aligned.chain.abi import ContractAbi
from aligned.chain.rpc import RpcError, RpcPool
from aligned.chain.types import Block, ChainReceipt, ChainTransaction, LogEntry
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

T = TypeVar("T")
BlockId = int | str
Topics = Sequence[bytes | Sequence[bytes] | None]


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract to call: 20-byte address and codec."""

    address: bytes
    abi: ContractAbi


class ChainClient:
    """Reads over several RPC URLs of one chain; see `RpcPool` for failover.

    All methods raise DependencyError (chain_unavailable, wrong_chain) when no endpoint answers usefully.

    Args:
        log_range_blocks: most blocks that one log query asks for.
    """

    def __init__(
        self,
        rpc_urls: Sequence[str],
        chain_id: int,
        *,
        timeout_s: float = 10.0,
        log_range_blocks: int = 2_000,
    ) -> None:
        self.chain_id = chain_id
        self._rpc = RpcPool(rpc_urls, chain_id, timeout_s)
        self._log_range_blocks = log_range_blocks

    async def close(self) -> None:
        """Closes all connections."""
        await self._rpc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def pinned(self) -> Self:
        """A view whose reads all come from one endpoint; see `RpcPool.pinned`. Closing it closes this client."""
        view = copy.copy(self)
        view._rpc = self._rpc.pinned()  # noqa: SLF001 - a copy of ours
        return view

    async def rpc(self, method: str, *params: object) -> Any:
        """Any JSON-RPC method; raw JSON result."""
        return await self._read(lambda answer: answer, method, *params)

    async def _read(self, decode: Callable[[Any], T], method: str, *params: object) -> T:
        return await self._rpc.request(method, *params, decode=decode)

    async def block_number(self) -> int:
        """Number of the head."""
        return await self._read(_number, "eth_blockNumber")

    async def get_block(self, block: BlockId) -> Block | None:
        """Header, None when the node has no such block (yet, or any more)."""
        return await self._read(_block, "eth_getBlockByNumber", block_id(block), False)

    async def base_fee(self) -> int:
        """Base fee of the head in wei."""
        head = await self.get_block("latest")
        if head is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "node has no head")
        return head.base_fee_wei

    async def gas_price(self) -> int:
        """What the node suggests for a legacy transaction, in wei."""
        return await self._read(_number, "eth_gasPrice")

    async def priority_fee(self) -> int:
        """What the node suggests as tip, in wei; the gas price less the base fee where it suggests none."""
        try:
            return await self._read(_number, "eth_maxPriorityFeePerGas")
        except RpcError:
            return max(0, await self.gas_price() - await self.base_fee())

    async def balance(self, address: bytes, block: BlockId = "latest") -> int:
        """Balance in wei."""
        return await self._read(_number, "eth_getBalance", hex_bytes(address), block_id(block))

    async def nonce(self, address: bytes, block: BlockId = "latest") -> int:
        """How many transactions of `address` the chain has at `block`."""
        return await self._read(_number, "eth_getTransactionCount", hex_bytes(address), block_id(block))

    async def code(self, address: bytes, block: BlockId = "latest") -> bytes:
        """Code at `address`."""
        return await self._read(to_bytes, "eth_getCode", hex_bytes(address), block_id(block))

    async def eth_call(
        self,
        to: bytes,
        data: bytes,
        *,
        sender: bytes | None = None,
        value_wei: int = 0,
        block: BlockId = "latest",
        more: dict[str, object] | None = None,
    ) -> bytes:
        """Return data of a call; `more` are further fields of its JSON form.

        Raises:
            TxReverted: with the decoded reason.
        """
        fields = _call_fields(to, data, sender, value_wei) | (more or {})
        return await self._read(to_bytes, "eth_call", fields, block_id(block))

    async def estimate_gas(
        self,
        to: bytes,
        data: bytes,
        *,
        sender: bytes,
        value_wei: int = 0,
        more: dict[str, object] | None = None,
    ) -> int:
        """Gas that the transaction would need now, at today's gas price.

        The price matters: nodes estimate with price 0, and an answer that refunds its caller nothing writes less.

        Raises:
            TxReverted: with the decoded reason.
        """
        price = more or {"gasPrice": hex(await self.gas_price())}
        return await self._read(_number, "eth_estimateGas", _call_fields(to, data, sender, value_wei) | price)

    async def call(
        self, contract: Contract, fn: str, args: Sequence[object] = (), block: BlockId = "latest"
    ) -> Any:
        """Result of a view: the value itself, or a tuple where it returns several.

        Raises:
            TxReverted: with the decoded reason.
            DependencyError: also when no endpoint has a contract at the address, or its answer is of another shape:
                the address may be wrong, or the node behind the block that made the contract.
        """
        function = contract.abi.functions[fn]

        def decode(answer: str) -> Any:
            data = to_bytes(answer)
            if not data and function.outputs:
                raise DependencyError(CHAIN_UNAVAILABLE, f"no contract at {hex_bytes(contract.address)}")
            values = function.decode(data)
            return values[0] if len(values) == 1 else values

        fields = _call_fields(contract.address, function.encode(*args), None, 0)
        return await self._read(decode, "eth_call", fields, block_id(block))

    async def get_logs(
        self, address: bytes, topics: Topics, from_block: int, to_block: int
    ) -> list[LogEntry]:
        """All logs of both blocks and between, in chain order; ranges that a node refuses are halved."""
        found: list[LogEntry] = []
        size = self._log_range_blocks
        for start in range(from_block, to_block + 1, size):
            found += await self._logs(address, topics, start, min(to_block, start + size - 1))
        return found

    async def _logs(self, address: bytes, topics: Topics, start: int, end: int) -> list[LogEntry]:
        wanted = {
            "address": hex_bytes(address),
            "topics": [_topic(topic) for topic in topics],
            "fromBlock": hex(start),
            "toBlock": hex(end),
        }
        try:
            return await self._read(_log_entries, "eth_getLogs", wanted)
        except RpcError as error:
            if start == end or not error.is_range_error:
                raise
        middle = (start + end) // 2
        lower = await self._logs(address, topics, start, middle)
        return lower + await self._logs(address, topics, middle + 1, end)

    async def get_receipt(self, tx_hash: bytes) -> ChainReceipt | None:
        """Receipt of a mined transaction, None for one that is pending or unknown."""
        return await self._read(_receipt, "eth_getTransactionReceipt", hex_bytes(tx_hash))

    async def get_transaction(self, tx_hash: bytes) -> ChainTransaction | None:
        """A transaction that the node knows, mined or pending."""
        return await self._read(_transaction, "eth_getTransactionByHash", hex_bytes(tx_hash))

    async def send_raw(self, raw: bytes) -> None:
        """Broadcasts a signed transaction.

        Raises:
            RpcError: what the node says about it.
        """
        await self.rpc("eth_sendRawTransaction", hex_bytes(raw))


def hex_bytes(data: bytes) -> str:
    """0x form."""
    return "0x" + data.hex()


def to_bytes(text: str) -> bytes:
    """Bytes of a 0x form."""
    return bytes.fromhex(text.removeprefix("0x"))


def block_id(block: BlockId) -> str:
    """JSON form of a block number or tag."""
    return hex(block) if isinstance(block, int) else block


def log_entry(item: dict[str, Any]) -> LogEntry:
    """Decodes one log of a JSON answer."""
    return LogEntry(
        address=to_bytes(item["address"]),
        topics=[to_bytes(topic) for topic in item["topics"]],
        data=to_bytes(item["data"]),
        block_number=int(item["blockNumber"], 16),
        block_hash=to_bytes(item["blockHash"]),
        tx_hash=to_bytes(item["transactionHash"]),
        log_index=int(item["logIndex"], 16),
    )


def _log_entries(items: list[dict[str, Any]]) -> list[LogEntry]:
    return sorted(map(log_entry, items), key=lambda entry: (entry.block_number, entry.log_index))


def _number(text: str) -> int:
    return int(text, 16)


def _topic(topic: bytes | Sequence[bytes] | None) -> object:
    if isinstance(topic, bytes):
        return hex_bytes(topic)
    return None if topic is None else [hex_bytes(choice) for choice in topic]


def _call_fields(to: bytes, data: bytes, sender: bytes | None, value_wei: int) -> dict[str, object]:
    fields: dict[str, object] = {"to": hex_bytes(to), "data": hex_bytes(data), "value": hex(value_wei)}
    return fields if sender is None else fields | {"from": hex_bytes(sender)}


def _block(item: dict[str, Any] | None) -> Block | None:
    if item is None:
        return None
    return Block(
        number=int(item["number"], 16),
        hash=to_bytes(item["hash"]),
        parent_hash=to_bytes(item["parentHash"]),
        timestamp=int(item["timestamp"], 16),
        base_fee_wei=int(item.get("baseFeePerGas") or "0x0", 16),
    )


def _receipt(item: dict[str, Any] | None) -> ChainReceipt | None:
    if item is None or item["blockNumber"] is None:
        return None
    return ChainReceipt(
        tx_hash=to_bytes(item["transactionHash"]),
        succeeded=int(item["status"], 16) == 1,
        block_number=int(item["blockNumber"], 16),
        block_hash=to_bytes(item["blockHash"]),
        gas_used=int(item["gasUsed"], 16),
        gas_price_wei=int(item.get("effectiveGasPrice") or "0x0", 16),
        blob_gas_used=int(item.get("blobGasUsed") or "0x0", 16),
        blob_gas_price_wei=int(item.get("blobGasPrice") or "0x0", 16),
        logs=tuple(log_entry(entry) for entry in item["logs"]),
    )


def _transaction(item: dict[str, Any] | None) -> ChainTransaction | None:
    if item is None:
        return None
    return ChainTransaction(
        tx_hash=to_bytes(item["hash"]),
        sender=to_bytes(item["from"]),
        to=None if item.get("to") is None else to_bytes(item["to"]),
        nonce=int(item["nonce"], 16),
        data=to_bytes(item["input"]),
        value_wei=int(item["value"], 16),
        block_number=None if item.get("blockNumber") is None else int(item["blockNumber"], 16),
    )
