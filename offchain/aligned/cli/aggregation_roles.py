"""poller, gateway, proof-aggregator: run a role of aggregation mode."""

from __future__ import annotations

from pathlib import Path

import click

from aligned.cli.options import config_option
from aligned.cli.output import Result, command
from aligned.cli.roles import json_logs, serve_role
from aligned.cli.strict import StrictGroup


@click.group(cls=StrictGroup)
def poller() -> None:
    """Follow the payments of aggregation mode on chain."""


@poller.command(name="run")
@json_logs
@command
@config_option
async def run_poller(config: Path | None, log_json: bool) -> Result:
    """Run the payments poller until Ctrl-C or SIGTERM: payments on chain become quotas that the gateway grants.

    It shares its database with the gateway and the proof aggregator; several may run at once.

    \b
    Example:
      ALIGNED__DATABASE__URL=postgresql://… aligned poller run --config aligned.toml
    """
    from aligned.payments_poller.service import run

    return await serve_role("poller", run, config, log_json)


@click.group(cls=StrictGroup)
def gateway() -> None:
    """Take users' proofs for aggregation, and tell where they are."""


@gateway.command(name="run")
@json_logs
@command
@config_option
async def run_gateway(config: Path | None, log_json: bool) -> Result:
    """Run the gateway until Ctrl-C or SIGTERM. Its API is described at /docs.

    It shares database and object store with the proof aggregator; several may run at once.

    \b
    Example:
      ALIGNED__DATABASE__URL=postgresql://… aligned gateway run --config aligned.toml
    """
    from aligned.gateway.service import run

    return await serve_role("gateway", run, config, log_json)


@click.group(cls=StrictGroup, name="proof-aggregator")
def proof_aggregator() -> None:
    """Aggregate the proofs in the queue, and put their root on Ethereum."""


@proof_aggregator.command(name="run")
@json_logs
@command
@config_option
async def run_proof_aggregator(config: Path | None, log_json: bool) -> Result:
    """Run the proof aggregator until Ctrl-C or SIGTERM.

    It proves chunks as they fill, joins them when the trigger says so (count, age or cost), and sends the root with
    its blobs. The level in the settings says how much is proved; below groth16 only a devnet takes it.

    \b
    Example:
      ALIGNED__DATABASE__URL=postgresql://… aligned proof-aggregator run --config aligned.toml
    """
    from aligned.proof_aggregator.service import run

    return await serve_role("proof-aggregator", run, config, log_json)
