"""db migrate, db prune."""

from __future__ import annotations

from pathlib import Path

import click

from aligned.cli.options import config_option
from aligned.cli.output import Result, columns, command
from aligned.cli.strict import StrictGroup
from aligned.settings import Settings, load
from aligned.storage.connect import configured_url
from aligned.storage.postgres import Database, migrate
from aligned.storage.retention import prune

# poller, gateway and proof aggregator share one database: aggregation.
ROLES = ("batcher", "operator", "aggregator", "aggregation")


@click.group(cls=StrictGroup)
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
    async with Database(_url(load(config), "is migrated by its role at start")) as database:
        await migrate(database, role)
    return Result({"role": role, "migrated": True})


@db.command(name="prune")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@command
@config_option
async def prune_role(role: str, dry_run: bool, config: Path | None) -> Result:
    """Delete rows of ROLE that are older than section [retention] says and that nothing needs any more.

    A running role does the same once a day, so this is for the first time, or for other settings. It may run
    beside the role.

    \b
    Example:
      ALIGNED__RETENTION__SUBMISSIONS_DAYS=30 aligned db prune batcher --dry-run
    """
    settings = load(config)
    async with Database(_url(settings, "is pruned by its role, once a day")) as database:
        await migrate(database, role)
        found = await prune(database, role, settings.retention, dry_run=dry_run)
    table = columns("rows", "would be deleted" if dry_run else "deleted")
    for name, rows in found.items():
        table.add_row(name, str(rows))
    return Result({"role": role, "dry_run": dry_run, "rows": found}, table)


def _url(settings: Settings, otherwise: str) -> str:
    url = configured_url(settings.database)
    if url is None:
        raise click.UsageError(f"no database.url or database.url_file: an embedded database {otherwise}")
    return url
