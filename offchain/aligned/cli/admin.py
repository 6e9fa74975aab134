"""config check, config show."""

from __future__ import annotations

from pathlib import Path

import click

from aligned.cli.options import config_option
from aligned.cli.output import Result, command
from aligned.cli.strict import StrictGroup
from aligned.core.errors import ProtocolError
from aligned.observability import redact
from aligned.settings import INVALID_SETTINGS, load
from aligned.settings import check as find_problems


@click.group(cls=StrictGroup)
def config() -> None:
    """Look at the settings."""


@config.command()
@command
@config_option
async def check(config: Path | None) -> Result:
    """Say whether file and environment make valid settings; all mistakes at once.

    \b
    Example:
      aligned config check --config aligned.toml
    """
    if problems := find_problems(config):
        raise ProtocolError(INVALID_SETTINGS, "; ".join(problems), problems=problems)
    return Result({"valid": True, "file": None if config is None else str(config)})


@config.command()
@command
@config_option
async def show(config: Path | None) -> Result:
    """Print the settings in force: defaults, file and environment. Secrets are shown as stars.

    \b
    Example:
      ALIGNED__BATCHER__PORT=9000 aligned config show --config aligned.toml --json
    """
    shown = load(config).model_dump(mode="json")
    # Keys of RPC providers are in their URLs.
    return Result({section: redact(fields) for section, fields in shown.items()})
