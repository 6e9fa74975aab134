"""config check, config show, db migrate."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import SecretStr

from aligned.cli.options import config_option
from aligned.cli.output import Result, command
from aligned.core.errors import ProtocolError
from aligned.observability import redact
from aligned.settings import INVALID_SETTINGS, load
from aligned.settings import check as find_problems
from aligned.storage.postgres import Database, migrate

# poller, gateway and proof aggregator share one database: aggregation.
ROLES = ("batcher", "operator", "aggregator", "aggregation")


@click.group()
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


@click.group()
def db() -> None:
    """Look after a role's database."""


@db.command(name="migrate")
@click.argument("role", type=click.Choice(ROLES))
@command
@config_option
async def migrate_role(role: str, config: Path | None) -> Result:
    """Bring the database of ROLE to this version's schema (the role itself does so at start).

    \b
    Example:
      ALIGNED__DATABASE__URL=postgresql://… aligned db migrate batcher
    """
    url: SecretStr | None = load(config).database.url
    if url is None:
        raise click.UsageError("no database.url: an embedded database is migrated by its role at start")
    async with Database(url.get_secret_value()) as database:
        await migrate(database, role)
    return Result({"role": role, "migrated": True})
