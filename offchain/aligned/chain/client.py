"""Typed reads from Ethereum, and the one call that broadcasts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from aligned.chain import answers, decoding
from aligned.chain.abi import ContractAbi
from aligned.chain.answers import Topics
from aligned.chain.decoding import BlockId, block_id, hex_bytes, log_entry, to_bytes
from aligned.chain.heads import HeadRules
from aligned.chain.log_ranges import LogRanges
from aligned.chain.rpc import EndpointStatus, RpcError, RpcPool
from aligned.chain.types import Block, ChainReceipt, ChainTransaction, LogEntry
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

__all__ = ["BlockId", "ChainClient", "Contract", "Topics", "block_id", "hex_bytes", "log_entry", "to_bytes"]

T = TypeVar("T")


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
        max_head_age_s: older heads are those of a node that does not follow its chain; None: a chain that mines on
            demand.
        head_look_s: pause between looks at the heads of all endpoints.
    """

    def __init__(
        self,
        rpc_urls: Sequence[str],
        chain_id: int,
        *,
        timeout_s: float = 10.0,
        log_range_blocks: int = 2_000,
        max_head_age_s: float | None = None,
        head_look_s: float = 10.0,
    ) -> None:
        self.chain_id = chain_id
        self._rpc = RpcPool(
            rpc_urls, chain_id, timeout_s, rules=HeadRules(max_head_age_s), look_s=head_look_s
        )
        self._logs = LogRanges(log_range_blocks)

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

    def endpoints(self) -> tuple[EndpointStatus, ...]:
        """What is known of every endpoint; asks nothing."""
        return self._rpc.status()

    async def check_head(self) -> None:
        """For readiness; see `RpcPool.check_head`.

        Raises:
            DependencyError: head_frozen, wrong_chain, chain_unavailable.
        """
        await self._rpc.check_head()

    def check_known(self) -> None:
        """For readiness, by what was seen last; see `RpcPool.check_known`.

        Raises:
            DependencyError: head_frozen, wrong_chain.
        """
        self._rpc.check_known()

    async def rpc(
        self, method: str, *params: object, decode: Callable[[Any], T] = lambda answer: answer
    ) -> T:
        """Any JSON-RPC method; raw JSON result without `decode`."""
        return await self._read(decode, method, *params)

    async def _read(self, decode: Callable[[Any], T], method: str, *params: object) -> T:
        return await self._rpc.request(method, *params, decode=decode)

    async def _seek(self, decode: Callable[[Any], T], method: str, *params: object) -> T:
        """None only when no endpoint has it: one that is behind does not know what others do."""
        return await self._rpc.request(method, *params, decode=decode, seek=True)

    async def block_number(self) -> int:
        """Number of the head."""
        return await self._read(decoding.count, "eth_blockNumber")

    async def get_block(self, block: BlockId) -> Block | None:
        """Header, None when the node has no such block (yet, or any more)."""
        return await self._seek(answers.block_at(block), "eth_getBlockByNumber", block_id(block), False)

    async def transactions_of(self, block: int) -> list[ChainTransaction]:
        """All transactions of a block.

        Raises:
            DependencyError: also when no endpoint has the block.
        """
        return await self._read(decoding.transactions, "eth_getBlockByNumber", block_id(block), True)

    async def base_fee(self) -> int:
        """Base fee of the head in wei."""
        head = await self.get_block("latest")
        if head is None:
            raise DependencyError(CHAIN_UNAVAILABLE, "node has no head")
        return head.base_fee_wei

    async def gas_price(self) -> int:
        """What the node suggests for a legacy transaction, in wei."""
        return await self._read(decoding.number, "eth_gasPrice")

    async def blob_base_fee(self) -> int:
        """Blob base fee of the next block in wei; of the head where the node keeps no history of it."""
        found: int | None = None
        with suppress(RpcError):
            found = await self._read(decoding.next_blob_base_fee, "eth_feeHistory", "0x1", "latest", [])
        return await self._read(decoding.number, "eth_blobBaseFee") if found is None else found

    async def priority_fee(self) -> int:
        """What the node suggests as tip, in wei; the gas price less the base fee where it suggests none."""
        try:
            return await self._read(decoding.number, "eth_maxPriorityFeePerGas")
        except RpcError:
            return max(0, await self.gas_price() - await self.base_fee())

    async def balance(self, address: bytes, block: BlockId = "latest") -> int:
        """Balance in wei."""
        return await self._read(decoding.number, "eth_getBalance", hex_bytes(address), block_id(block))

    async def nonce(self, address: bytes, block: BlockId = "latest") -> int:
        """How many transactions of `address` the chain has at `block`."""
        return await self._read(
            decoding.count, "eth_getTransactionCount", hex_bytes(address), block_id(block)
        )

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
        return await self._read(
            decoding.count, "eth_estimateGas", _call_fields(to, data, sender, value_wei) | price
        )

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
        """All logs of both blocks and between, in chain order; ranges that no node answers are halved."""

        async def query(start: int, end: int) -> list[LogEntry]:
            wanted = _log_filter(address, topics) | {"fromBlock": hex(start), "toBlock": hex(end)}
            return await self._read(answers.logs_of(address, topics, start, end), "eth_getLogs", wanted)

        return await self._logs.read(query, from_block, to_block)

    async def get_logs_of(self, address: bytes, topics: Topics, block: Block) -> list[LogEntry]:
        """Logs of one block by its hash: a node that does not have the block cannot say that there are none."""
        wanted = _log_filter(address, topics) | {"blockHash": hex_bytes(block.hash)}
        decode = answers.logs_of(address, topics, block.number, block.number)
        return await self._read(decode, "eth_getLogs", wanted)

    async def get_receipt(self, tx_hash: bytes) -> ChainReceipt | None:
        """Receipt of a mined transaction, None for one that is pending or unknown."""
        return await self._seek(answers.receipt_of(tx_hash), "eth_getTransactionReceipt", hex_bytes(tx_hash))

    async def get_transaction(self, tx_hash: bytes) -> ChainTransaction | None:
        """A transaction that the node knows, mined or pending."""
        return await self._seek(
            answers.transaction_of(tx_hash), "eth_getTransactionByHash", hex_bytes(tx_hash)
        )

    async def send_raw(self, raw: bytes) -> None:
        """Broadcasts a signed transaction to all endpoints; that one of them has it already counts as success.

        Raises:
            RpcError: what a node says about it, when none takes it.
        """
        await self._rpc.broadcast(hex_bytes(raw))


def _log_filter(address: bytes, topics: Topics) -> dict[str, object]:
    return {"address": hex_bytes(address), "topics": [_topic(topic) for topic in topics]}


def _topic(topic: bytes | Sequence[bytes] | None) -> object:
    if isinstance(topic, bytes):
        return hex_bytes(topic)
    return None if topic is None else [hex_bytes(choice) for choice in topic]


def _call_fields(to: bytes, data: bytes, sender: bytes | None, value_wei: int) -> dict[str, object]:
    fields: dict[str, object] = {"to": hex_bytes(to), "data": hex_bytes(data), "value": hex(value_wei)}
    return fields if sender is None else fields | {"from": hex_bytes(sender)}
