"""Proof files of the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from aligned.cli.proof_files import Paths, read_proof
from aligned.core.errors import ProtocolError
from aligned.core.types import FIRST_EXTERNAL_SYSTEM, ProvingSystem

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SYSTEM_NAMES = [system.wire_name for system in ProvingSystem]
SYSTEM_HELP = f"{', '.join(SYSTEM_NAMES)}, or External{FIRST_EXTERNAL_SYSTEM} to External255 for a plug-in."


class System(click.ParamType):
    """A click type: a proving system by its name, in any case."""

    name = "system"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ProvingSystem:
        """Parses; fails as wrong usage."""
        if isinstance(value, ProvingSystem):
            return value
        names = {name.lower(): name for name in SYSTEM_NAMES}
        try:
            return ProvingSystem.from_wire(names.get(value.lower()) or value.capitalize())
        except ProtocolError:
            self.fail(f"no proving system {value[:64]!r}: {SYSTEM_HELP}", param, ctx)


def proof_parts(function: F) -> F:
    """Adds the files of one proof to a command that has `proof_file`; it receives `data: VerificationData`."""

    @click.option("--system", type=System(), required=True, help=SYSTEM_HELP)
    @click.option(
        "--public-input",
        type=FILE,
        help="Public values, journal or public inputs [default: those in the proof's file, where it holds them].",
    )
    @click.option("--vk", type=FILE, help="Verification key (SP1: the 104-byte key or its 32-byte hash).")
    @click.option("--program", type=FILE, help="Program identity (RISC0: the 32-byte image id).")
    @click.option(
        "--generator", help="20-byte address committed in the leaf [default: the signer, else zero]."
    )
    @click.option("--exact", is_flag=True, help="Send the files byte for byte, as they are.")
    @functools.wraps(function)
    def with_data(
        *args: Any,
        system: ProvingSystem,
        proof_file: Path,
        public_input: Path | None,
        vk: Path | None,
        program: Path | None,
        generator: str | None,
        exact: bool,
        **options: Any,
    ) -> Any:
        account = options.get("account")
        address = read_hex(generator or (account.address if account else "0x" + "00" * 20), 20, "--generator")
        paths = Paths(proof_file, public_input, vk, program, exact)
        return function(*args, data=read_proof(system, paths, address), **options)

    return with_data  # type: ignore[return-value]


def read_hex(text: str, length: int, name: str) -> bytes:
    """0x text of `length` bytes.

    Raises:
        click.UsageError: anything else.
    """
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != length:
        raise click.UsageError(f"{name}: expected 0x and {2 * length} hex digits, got {text!r}")
    return raw


class Hex(click.ParamType):
    """A click type: 0x text of a fixed length, as bytes."""

    name = "hex"

    def __init__(self, length: int) -> None:
        self._length = length

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Parses; fails as wrong usage."""
        if isinstance(value, bytes):
            return value
        try:
            return read_hex(value, self._length, param.name or "value" if param else "value")
        except click.UsageError as error:
            self.fail(error.message, param, ctx)


class Ether(click.ParamType):
    """A click type: an amount as `0.1ether`, `30gwei` or `1000wei`, as wei. Only nothing goes without a unit."""

    name = "amount"
    _UNITS = (("ether", 18), ("gwei", 9), ("wei", 0))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parses exactly (no floats); fails as wrong usage."""
        if isinstance(value, int):
            return value
        text = value.strip().lower()
        number, decimals = text, 0
        if text.isascii() and text.replace(".", "", 1).isdigit() and text.strip("0."):
            self.fail(f"{value!r} of what? write {text}ether, {text}gwei or {text}wei", param, ctx)
        for unit, digits in self._UNITS:
            if text.endswith(unit):
                number, decimals = text.removesuffix(unit).strip(), digits
                break
        whole, _, fraction = number.partition(".")
        if (
            not (text.isascii() and whole.isdigit() and (fraction + "0").isdigit())
            or len(fraction) > decimals
        ):
            self.fail(f"{value!r} is no amount; write 0.1ether, 30gwei or 1000wei", param, ctx)
        return int(whole + fraction.ljust(decimals, "0"))
