"""One shape for all commands: a result object, `--json`, exit codes, errors that say what to do.

Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 a dependency is down (trying again may help).
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import click
from rich.console import Console, RenderableType
from rich.table import Table

from aligned.core.errors import AlignedError

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_DEPENDENCY: Final = 3

# Humans read stderr, so that stdout carries the result and nothing else.
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found out.

    Attributes:
        data: the object that `--json` prints.
        human: what people see instead; None shows `data` as a table.
        exit_code: 1 when the answer itself is "no" (a proof that is not verified).
    """

    data: Mapping[str, object]
    human: RenderableType | None = None
    exit_code: int = EXIT_OK


Command: TypeAlias = Callable[..., Awaitable[Result]]


def command(function: Command) -> Callable[..., None]:
    """Turns an async function into a click callback with `--json`, exit codes and readable errors."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
    @functools.wraps(function)
    def callback(*args: Any, as_json: bool, **options: Any) -> None:
        try:
            result = asyncio.run(_collect(function, args, options))
        except AlignedError as error:
            _fail(error, as_json)
        _show(result, as_json)
        sys.exit(result.exit_code)

    return callback


async def _collect(function: Command, args: tuple[Any, ...], options: dict[str, Any]) -> Result:
    return await function(*args, **options)


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.data, default=str))
    else:
        Console().print(result.human if result.human is not None else fields_table(result.data))


def _fail(error: AlignedError, as_json: bool) -> NoReturn:
    if as_json:
        body = {"code": error.code, "message": error.message, "context": error.context}
        click.echo(json.dumps({"error": body}, default=str))
    console.print(f"[bold red]error[/] {error.code}: {error.message}", highlight=False, soft_wrap=True)
    sys.exit(EXIT_DEPENDENCY if error.retryable else EXIT_FAILED)


def columns(*names: str) -> Table:
    """A table whose cells are never cut: a hash that is too wide goes on in the next line."""
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def fields_table(data: Mapping[str, object]) -> Table:
    """Two columns: name and value."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in data.items():
        shown = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
        table.add_row(f"[bold]{name}[/]", shown)
    return table


def ether(amount_wei: int) -> str:
    """Wei as ether for people, all digits kept."""
    whole, rest = divmod(amount_wei, 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") + " ether"
