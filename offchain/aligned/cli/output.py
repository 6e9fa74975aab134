"""One shape for all commands: a result object, `--json`, exit codes, errors that say what to do.

Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 a dependency is down (trying again may help), 130 interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from aligned.cli.advice import advice
from aligned.core.errors import AlignedError

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_DEPENDENCY: Final = 3
EXIT_INTERRUPTED: Final = 130
_UNFOLDED_COLUMNS: Final = 10_000


class _ForPeople(Console):
    """Goes on in silence when nobody reads any more: what was paid for is still waited for and written."""

    def on_broken_pipe(self) -> None:
        """Called when the other end is closed; the library's own ends the process."""
        self.quiet = True


# Humans read stderr, so that stdout carries the result and nothing else. Off a terminal nothing is folded: a hash in
# two lines can be neither searched for nor copied.
console = _ForPeople(stderr=True, width=None if sys.stderr.isatty() else _UNFOLDED_COLUMNS)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found out.

    Attributes:
        data: the object that `--json` prints.
        human: what people see instead; None shows `data` as a table.
        exit_code: 1 when the answer itself is "no" (a proof that is not verified).
        files: what is written where, after the result is printed: neither costs the other, when a disk is full or
            nobody reads on.
    """

    data: Mapping[str, object]
    human: RenderableType | None = None
    exit_code: int = EXIT_OK
    files: Mapping[Path, str | bytes] = field(default_factory=dict)


Command: TypeAlias = Callable[..., Awaitable[Result]]


def command(function: Command) -> Callable[..., None]:
    """Turns an async function into a click callback with `--json`, exit codes and readable errors."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
    @functools.wraps(function)
    def callback(*args: Any, as_json: bool, **options: Any) -> None:
        _go_on.clear()
        try:
            result = asyncio.run(_collect(function, args, options))
        except AlignedError as error:
            _fail(error, as_json)
        except KeyboardInterrupt:
            _interrupted()
        is_shown, is_written = _show(result, as_json), _write(result.files)
        sys.exit(result.exit_code if is_shown and is_written else EXIT_FAILED)

    return callback


_go_on: list[str] = []


def can_go_on(what: str, how: str) -> None:
    """Tells at once what has been reached, and how to go on from there if this command ends before its time.

    Args:
        what: for people, with the id.
        how: a command.
    """
    console.print(f"{what}; to find it again: {how}", highlight=False, markup=False, soft_wrap=True)
    _go_on.append(how)


def _interrupted() -> NoReturn:
    console.print("interrupted", highlight=False)
    for how in _go_on:
        console.print(f"  go on with: {how}", highlight=False, markup=False, soft_wrap=True)
    sys.exit(EXIT_INTERRUPTED)


def _write(files: Mapping[Path, str | bytes]) -> bool:
    """Writes what belongs into files, each as a whole; what cannot be written is printed instead."""
    is_complete = True
    for path, content in files.items():
        try:
            write_whole(path, content)
        except OSError as error:
            is_complete = False
            text = Text.assemble(("error", "bold red"), f" {path} was not written: {error.strerror}")
            console.print(text, highlight=False, soft_wrap=True)
            if isinstance(content, str):
                console.print(Text(f"what it would hold:\n{content}"), highlight=False, soft_wrap=True)
    return is_complete


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file in one step, so that nobody finds half of it.

    Raises:
        OSError: it cannot be written.
    """
    raw = content.encode() if isinstance(content, str) else content
    path = path.resolve()  # a link stays one
    if path.exists() and not path.is_file():  # a pipe or a device
        path.write_bytes(raw)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(raw)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


async def _collect(function: Command, args: tuple[Any, ...], options: dict[str, Any]) -> Result:
    return await function(*args, **options)


def _show(result: Result, as_json: bool) -> bool:
    """Prints the result; False when stdout does not take it."""
    try:
        if as_json:
            click.echo(json.dumps(result.data, default=str))
        else:
            click.echo(_for_people(result), nl=False, color=True)
        sys.stdout.flush()
    except OSError as error:
        console.print(f"the result was not printed: {error.strerror}", highlight=False, soft_wrap=True)
        _leave_stdout()
        return False
    return True


def _for_people(result: Result) -> str:
    out = Console() if sys.stdout.isatty() else Console(width=_UNFOLDED_COLUMNS)
    with out.capture() as captured:
        out.print(result.human if result.human is not None else fields_table(result.data))
    # A file's name need not be text, and a terminal need not know every sign.
    encoding = sys.stdout.encoding or "utf-8"
    return captured.get().encode(encoding, "backslashreplace").decode(encoding)


def _leave_stdout() -> None:
    """What is still buffered for stdout would fail once more at the end of the process."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: AlignedError, as_json: bool) -> NoReturn:
    step = advice(error)
    if as_json:
        body = {"code": error.code, "message": error.message, "context": error.context}
        body |= {} if step is None else {"next": step}
        click.echo(json.dumps({"error": body}, default=str))
    text = Text.assemble(("error", "bold red"), f" {error.code}: {error.message}")
    console.print(text, highlight=False, soft_wrap=True)
    if step is not None:
        console.print(Text(f"next: {step}"), highlight=False, soft_wrap=True)
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
