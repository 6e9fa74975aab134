"""How a deployment reaches a chain: one small protocol, implemented over any web3 connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address
from web3 import Web3
from web3.types import RPCEndpoint

from aligned.core.errors import DependencyError

TRANSACTION_FAILED = "transaction_failed"
RECEIPT_TIMEOUT_S = 120
Submit = Callable[[dict[str, Any]], Any]


class Sender(Protocol):
    """What a deployment needs of a chain. Every call returns after its transaction is in a block."""

    address: str

    def deploy(self, bytecode: bytes) -> str:
        """Creates a contract; its address."""
        ...

    def transact(self, to: str, data: bytes, value: int = 0) -> None:
        """Sends a call; DependencyError if it reverts."""
        ...

    def call(self, to: str, data: bytes) -> bytes:
        """Reads."""
        ...

    def created(self, bytecode: bytes) -> bytes:
        """The runtime code that a creation would leave, without a transaction."""
        ...

    def storage(self, address: str, slot: int) -> bytes:
        """A storage word."""
        ...

    def code(self, address: str) -> bytes:
        """Runtime code."""
        ...

    def chain_id(self) -> int:
        """Chain id of the connection."""
        ...

    def block_number(self) -> int:
        """Newest block."""
        ...


class Web3Sender:
    """A `Sender` over a synchronous web3 connection.

    Args:
        web3: the connection.
        address: the sending account.
        submit: hands a transaction (from, to, data, value) to whatever signs it; its hash. Default: the node
            itself, which knows the account (anvil).
    """

    def __init__(self, web3: Web3, address: str, submit: Submit | None = None) -> None:
        self.address = str(to_checksum_address(address))
        self._web3 = web3
        self._submit: Submit = submit or web3.eth.send_transaction  # type: ignore[assignment]

    def deploy(self, bytecode: bytes) -> str:
        """Creates a contract; its address."""
        return str(self._send({"data": bytecode})["contractAddress"])

    def transact(self, to: str, data: bytes, value: int = 0) -> None:
        """Sends a call; DependencyError if it reverts."""
        self._send({"to": to, "data": data, "value": value})

    def call(self, to: str, data: bytes) -> bytes:
        """Reads, as the sending account."""
        return bytes(self._web3.eth.call({"to": to_checksum_address(to), "data": data, "from": self.address}))

    def created(self, bytecode: bytes) -> bytes:
        """The runtime code that a creation would leave, without a transaction."""
        return bytes(self._web3.eth.call({"data": bytecode, "from": self.address}))

    def storage(self, address: str, slot: int) -> bytes:
        """A storage word."""
        return bytes(self._web3.eth.get_storage_at(to_checksum_address(address), slot)).rjust(32, b"\0")

    def code(self, address: str) -> bytes:
        """Runtime code."""
        return bytes(self._web3.eth.get_code(to_checksum_address(address)))

    def chain_id(self) -> int:
        """Chain id of the connection."""
        return int(self._web3.eth.chain_id)

    def block_number(self) -> int:
        """Newest block."""
        return int(self._web3.eth.block_number)

    def _send(self, transaction: dict[str, Any]) -> Any:
        tx_hash = self._submit({"from": self.address, **transaction})
        receipt = self._web3.eth.wait_for_transaction_receipt(tx_hash, timeout=RECEIPT_TIMEOUT_S)
        if receipt["status"] != 1:
            raise DependencyError(
                TRANSACTION_FAILED, f"transaction {tx_hash} to {transaction.get('to')} reverted"
            )
        return receipt


def local_account_submit(web3: Web3, account: LocalAccount) -> Submit:
    """Signs with a key in memory."""

    def submit(transaction: dict[str, Any]) -> Any:
        nonce = web3.eth.get_transaction_count(account.address, "pending")
        filled: dict[str, Any] = {**transaction, "nonce": nonce, "chainId": web3.eth.chain_id}
        filled["gas"] = web3.eth.estimate_gas(filled)  # type: ignore[arg-type]
        filled["maxPriorityFeePerGas"] = web3.eth.max_priority_fee
        base_fee = web3.eth.get_block("latest")["baseFeePerGas"]
        filled["maxFeePerGas"] = 2 * base_fee + filled["maxPriorityFeePerGas"]
        return web3.eth.send_raw_transaction(account.sign_transaction(filled).raw_transaction)

    return submit


def ape_submit(provider: Any, account: Any) -> Submit:
    """Signs with an account of Ape, through the provider that Ape is connected to."""

    def submit(transaction: dict[str, Any]) -> str:
        fields = {name: transaction[name] for name in ("data", "value") if name in transaction}
        prepared = provider.network.ecosystem.create_transaction(receiver=transaction.get("to"), **fields)
        return str(account.call(prepared).txn_hash)

    return submit


def anvil_place(web3: Web3) -> Callable[[str, bytes, int, bytes], None]:
    """Puts code and one storage word at an address of the caller's choice; anvil only."""

    def place(address: str, code: bytes, slot: int, word: bytes) -> None:
        _anvil(web3, "anvil_setCode", [address, "0x" + code.hex()])
        _anvil(web3, "anvil_setStorageAt", [address, f"0x{slot:064x}", "0x" + word.hex()])

    return place


def _anvil(web3: Web3, method: str, params: list[str]) -> None:
    answer = web3.provider.make_request(RPCEndpoint(method), params)
    if "error" in answer:
        raise DependencyError(TRANSACTION_FAILED, f"{method}: {answer['error']}")
