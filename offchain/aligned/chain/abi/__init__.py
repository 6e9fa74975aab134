"""ABIs of our contracts (JSON beside this file, generated from contracts/) and the codec over them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

from eth_abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils import keccak

from aligned.core.errors import InvariantError, ProtocolError

MALFORMED_ABI = "malformed_abi"
_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
_SELECTOR_BYTES = 4


@cache
def load_abi(name: str) -> list[dict[str, Any]]:
    """ABI of contract or interface `name`.

    Raises:
        InvariantError: there is none.
    """
    path = resources.files(__name__) / f"{name}.json"
    if not path.is_file():
        raise InvariantError("unknown_abi", name)
    loaded = json.loads(path.read_text())
    return cast("list[dict[str, Any]]", loaded["abi"] if isinstance(loaded, dict) else loaded)


def abi_type(parameter: dict[str, Any]) -> str:
    """Canonical type with tuples spelled out, as selectors and eth-abi want it."""
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(abi_type(member) for member in parameter["components"])
    return f"({members}){kind.removeprefix('tuple')}"


@dataclass(frozen=True, slots=True)
class Function:
    """One function."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def signature(self) -> str:
        """Name and types of the arguments: tells overloads apart."""
        return f"{self.name}({','.join(self.inputs)})"

    @property
    def selector(self) -> bytes:
        """First four bytes of the signature's hash."""
        return keccak(text=self.signature)[:_SELECTOR_BYTES]

    def encode(self, *args: object) -> bytes:
        """Calldata."""
        return self.selector + encode(self.inputs, args)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Return values.

        Raises:
            ProtocolError: malformed_abi.
        """
        return _decode(self.outputs, data, self.name)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `inputs` are (name, type, indexed)."""

    name: str
    inputs: tuple[tuple[str, str, bool], ...]

    @property
    def topic(self) -> bytes:
        """Hash of the signature, topic 0 of its logs."""
        return keccak(text=f"{self.name}({','.join(kind for _, kind, _ in self.inputs)})")

    def decode(self, topics: list[bytes], data: bytes) -> dict[str, Any]:
        """Arguments by name.

        Raises:
            ProtocolError: malformed_abi (also for another event's topic).
        """
        indexed = [(name, kind) for name, kind, is_indexed in self.inputs if is_indexed]
        plain = [(name, kind) for name, kind, is_indexed in self.inputs if not is_indexed]
        if len(topics) != len(indexed) + 1 or topics[0] != self.topic:
            raise ProtocolError(MALFORMED_ABI, f"topics do not fit {self.name}")
        values = {
            name: _decode((kind,), topic, name)[0]
            for (name, kind), topic in zip(indexed, topics[1:], strict=True)
        }
        body = _decode(tuple("bytes" if kind == "string" else kind for _, kind in plain), data, self.name)
        return values | {
            name: _text(value) if kind == "string" else value
            for (name, kind), value in zip(plain, body, strict=True)
        }


def _text(data: bytes) -> str:
    """A string that a stranger wrote: contracts check neither UTF-8 nor NUL, and PostgreSQL stores no NUL."""
    return data.decode(errors="replace").replace("\x00", "\ufffd")


def _decode(types: tuple[str, ...], data: bytes, what: str) -> tuple[Any, ...]:
    try:
        return decode(types, data)
    except (DecodingError, OverflowError, ValueError) as error:
        raise ProtocolError(MALFORMED_ABI, f"{what}: {error}") from error


class ContractAbi:
    """Functions, events and errors of one ABI, by name; functions by signature too, as overloads share the name."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.functions: dict[str, Function] = {}
        self.events: dict[str, Event] = {}
        self.errors: dict[bytes, Function] = {}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: dict[str, Any]) -> None:
        kind, name = entry["type"], str(entry.get("name", ""))
        inputs = entry.get("inputs", [])
        types = tuple(abi_type(item) for item in inputs)
        if kind == "function":
            outputs = tuple(abi_type(item) for item in entry["outputs"])
            function = Function(name, types, outputs)
            self.functions.setdefault(name, function)
            self.functions[function.signature] = function
        elif kind == "event":
            fields = tuple((str(item["name"]), abi_type(item), bool(item["indexed"])) for item in inputs)
            self.events.setdefault(name, Event(name, fields))
        elif kind == "error":
            error = Function(name, types, types)
            self.errors[error.selector] = error


@cache
def contract_abi(name: str) -> ContractAbi:
    """Codec of contract or interface `name`."""
    return ContractAbi(load_abi(name))


@cache
def _all_errors() -> dict[bytes, Function]:
    errors: dict[bytes, Function] = {}
    for path in resources.files(__name__).iterdir():
        if path.name.endswith(".json"):
            errors |= contract_abi(path.name.removesuffix(".json")).errors
    return errors


def decode_error(data: bytes) -> str | None:
    """Name and arguments of the custom error of any of our contracts, a revert string or a panic; None if unknown."""
    selector, body = data[:_SELECTOR_BYTES], data[_SELECTOR_BYTES:]
    known = _all_errors() | {
        _ERROR_STRING: Function("Error", ("string",), ("string",)),
        _PANIC: Function("Panic", ("uint256",), ("uint256",)),
    }
    error = known.get(selector)
    if error is None:
        return None
    try:
        values = error.decode(body)
    except ProtocolError:
        return error.name
    return f"{error.name}({', '.join(_show(value) for value in values)})"


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
