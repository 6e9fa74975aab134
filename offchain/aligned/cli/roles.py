"""batcher, operator, aggregator: run a role; register an operator."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import click

from aligned.cli.files import Ether
from aligned.cli.options import config_option
from aligned.cli.output import EXIT_FAILED, EXIT_OK, Result, command
from aligned.cli.strict import StrictGroup
from aligned.observability import configure_logging
from aligned.settings import Settings, load
from aligned.watchdog import WatchLimits, limits

Service: TypeAlias = Callable[[Settings, asyncio.Event], Awaitable[None]]

json_logs = click.option(
    "--log-json/--log-text", default=True, show_default=True, help="Form of the log on stderr."
)


async def serve_role(name: str, service: Service, config: Path | None, log_json: bool) -> Result:
    """Runs a role until it is told to stop (SIGINT, SIGTERM)."""
    settings = load(config)
    configure_logging(name, log_json)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    own = settings.watchdog
    limits.set(WatchLimits(own.stall_s, own.end_after_s, own.blocked_s))
    await service(settings, stop)
    return Result({"role": name, "stopped": True})


@click.group(cls=StrictGroup)
def batcher() -> None:
    """Collect users' proofs into batches and post them."""


@batcher.command(name="run")
@json_logs
@command
@config_option
async def run_batcher(config: Path | None, log_json: bool) -> Result:
    """Run the batcher until Ctrl-C or SIGTERM.

    \b
    Example:
      ALIGNED__DATABASE__URL=postgresql://… aligned batcher run --config aligned.toml
    """
    from aligned.batcher.service import run

    return await serve_role("batcher", run, config, log_json)


@click.group(cls=StrictGroup)
def aggregator() -> None:
    """Collect operators' signatures and answer tasks on chain."""


@aggregator.command(name="run")
@json_logs
@command
@config_option
async def run_aggregator(config: Path | None, log_json: bool) -> Result:
    """Run the BLS aggregator until Ctrl-C or SIGTERM.

    \b
    Example:
      aligned aggregator run --config aligned.toml
    """
    from aligned.bls_aggregator.service import run

    return await serve_role("aggregator", run, config, log_json)


@aggregator.command()
@command
@config_option
async def claim(config: Path | None) -> Result:
    """Withdraw what the service manager has credited for answers to the aggregator's account.

    \b
    Example:
      aligned aggregator claim --config aligned.toml
    """
    from aligned.bls_aggregator.claim import claim as withdraw

    done = await withdraw(load(config))
    return Result({"amount_wei": done.amount_wei, "tx_hash": _hash(done.tx_hash)})


@click.group(cls=StrictGroup)
def operator() -> None:
    """Verify batches and sign them; register and deregister."""


@operator.command(name="run")
@json_logs
@command
@config_option
async def run_operator(config: Path | None, log_json: bool) -> Result:
    """Run an operator until Ctrl-C or SIGTERM. It must be registered to count.

    \b
    Example:
      aligned operator register --config operator.toml && aligned operator run --config operator.toml
    """
    from aligned.operator.service import run

    return await serve_role("operator", run, config, log_json)


@operator.command()
@click.option(
    "--bond", type=Ether(), default="0wei", help="Bond this much first (devnet's stake source only)."
)
@command
@config_option
async def register(config: Path | None, bond: int) -> Result:
    """Register the operator's BLS key, with a proof that it holds the secret.

    \b
    Example:
      aligned operator register --config operator.toml --bond 10ether
    """
    from aligned.operator.register import register as send

    receipt = await send(load(config), bond)
    return Result({"registered": True, "tx_hash": _hash(receipt.tx_hash), "block": receipt.block_number})


@operator.command()
@command
@config_option
async def deregister(config: Path | None) -> Result:
    """Leave the operator set.

    \b
    Example:
      aligned operator deregister --config operator.toml
    """
    from aligned.operator.register import deregister as send

    receipt = await send(load(config))
    return Result({"registered": False, "tx_hash": _hash(receipt.tx_hash), "block": receipt.block_number})


@operator.command()
@command
@config_option
async def status(config: Path | None) -> Result:
    """Show whether this operator is in the set, and with what stake. Exit code 1 if it is not.

    \b
    Example:
      aligned operator status --config operator.toml --json
    """
    from aligned.operator.register import status as read

    found = await read(load(config))
    data = {
        "address": "0x" + found.address.hex(),
        "operator_id": "0x" + found.operator_id.hex(),
        "registered": found.registered,
        "stake_wei": str(found.stake_wei),
        "total_stake_wei": str(found.total_stake_wei),
        "operators": found.operators,
    }
    return Result(data, exit_code=EXIT_OK if found.registered else EXIT_FAILED)


def _hash(value: bytes | None) -> str | None:
    return None if value is None else "0x" + value.hex()
