"""Compiled contracts, as `ape compile` leaves them in .build/__local__.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from eth_abi import encode

from aligned.chain.abi import abi_type
from aligned.core.errors import InvariantError

UNKNOWN_CONTRACT = "unknown_contract"


class Artifacts:
    """Creation and runtime bytecode by contract name."""

    def __init__(self, contract_types: dict[str, Any]) -> None:
        self._types = contract_types

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads Ape's manifest.

        Raises:
            InvariantError: unknown_contract, if there is no manifest (`ape compile` makes it).
        """
        if not path.is_file():
            raise InvariantError(UNKNOWN_CONTRACT, f"{path} is missing: run `ape compile`")
        return cls(json.loads(path.read_text())["contractTypes"])

    def creation(self, name: str, *args: object) -> bytes:
        """Creation bytecode with encoded constructor arguments."""
        entry = self._entry(name)
        constructors = [item for item in entry["abi"] if item["type"] == "constructor"]
        types = [abi_type(item) for item in constructors[0]["inputs"]] if constructors else []
        return _bytes(entry["deploymentBytecode"]) + encode(types, args)

    def runtime(self, name: str) -> bytes:
        """Runtime bytecode (immutables, if any, are zero)."""
        return _bytes(self._entry(name)["runtimeBytecode"])

    def _entry(self, name: str) -> dict[str, Any]:
        if name not in self._types:
            raise InvariantError(UNKNOWN_CONTRACT, f"{name} is not in the compiler's output")
        entry: dict[str, Any] = self._types[name]
        return entry


def _bytes(bytecode: dict[str, str]) -> bytes:
    return bytes.fromhex(bytecode["bytecode"].removeprefix("0x"))
