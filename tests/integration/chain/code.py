"""Tiny contracts in bytecode, put in place with anvil_setCode."""

from __future__ import annotations

from tests.integration.node import Anvil

# slot 0 += 1; emit calldata as a log whose topic 0 is the first word of calldata
COUNTER = bytes.fromhex("5f54600101 5f55 365f5f37 5f35 365f a1 00".replace(" ", ""))
# revert with calldata as revert data
REVERTER = bytes.fromhex("365f5f37 365f fd".replace(" ", ""))
# as REVERTER if slot 0 is set, else nothing
TRAP = bytes.fromhex("5f54 6006 57 00 5b 365f5f37 365f fd".replace(" ", ""))

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
