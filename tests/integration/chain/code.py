"""Tiny contracts in bytecode, put in place with anvil_setCode."""

from __future__ import annotations

import time

from tests.integration.node import Anvil

# slot 0 += 1; emit calldata as a log whose topic 0 is the first word of calldata
COUNTER = bytes.fromhex("5f54600101 5f55 365f5f37 5f35 365f a1 00".replace(" ", ""))
# revert with calldata as revert data
REVERTER = bytes.fromhex("365f5f37 365f fd".replace(" ", ""))
# as REVERTER if slot 0 is set, else nothing
TRAP = bytes.fromhex("5f54 6006 57 00 5b 365f5f37 365f fd".replace(" ", ""))
# as COUNTER, logging the hash of blob 0; reverts in a transaction without a blob
BLOB_COUNTER = bytes.fromhex(
    "5f49 6008 57 5f5f fd 5b 5f54600101 5f55 5f49 5f52 6020 5f a0 00".replace(" ", "")
)

TARGET = b"\xc0" * 20


def place(anvil: Anvil, code: bytes, address: bytes = TARGET) -> None:
    """Puts code at an address."""
    anvil.rpc("anvil_setCode", "0x" + address.hex(), "0x" + code.hex())


def count(anvil: Anvil, address: bytes = TARGET) -> int:
    """Slot 0."""
    return int(anvil.rpc("eth_getStorageAt", "0x" + address.hex(), "0x0", "latest"), 16)


def set_slot(anvil: Anvil, value: int, address: bytes = TARGET) -> None:
    """Sets slot 0."""
    anvil.rpc("anvil_setStorageAt", "0x" + address.hex(), "0x0", "0x" + value.to_bytes(32).hex())


def emit(anvil: Anvil, word: int) -> None:
    """Has COUNTER log `word` as topic 0, in a block of its own that is there on return."""
    fields = {
        "from": anvil.rpc("eth_accounts")[0],
        "to": "0x" + TARGET.hex(),
        "data": "0x" + word.to_bytes(32).hex(),
    }
    sent = anvil.rpc("eth_sendTransaction", fields)
    while anvil.rpc("eth_getTransactionReceipt", sent) is None:
        time.sleep(0.01)
