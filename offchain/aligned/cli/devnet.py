"""devnet, demo."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live

from aligned.cli.output import EXIT_DEPENDENCY, EXIT_FAILED, EXIT_OK, Result, command, console
from aligned.cli.strict import StrictCommand
from aligned.core.errors import AlignedError, DependencyError

if TYPE_CHECKING:
    from aligned.devnet.cluster import ClusterConfig

_HOME = click.Path(file_okay=False, path_type=Path)


@click.command(cls=StrictCommand)
@click.option(
    "--home", type=_HOME, default=".aligned/devnet", show_default=True, help="Folder; emptied at start."
)
@click.option("--operators", type=click.IntRange(2, 32), default=4, show_default=True)
@click.option(
    "--off", type=click.IntRange(0, 31), multiple=True, help="Operator that is registered but does not run."
)
@click.option(
    "--rpc-port", type=click.IntRange(0, 65_535), default=8545, show_default=True, help="0: a free one."
)
@click.option(
    "--batcher-port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0: a free one."
)
@click.option(
    "--gateway-port", type=click.IntRange(0, 65_535), default=8070, show_default=True, help="0: a free one."
)
@click.option("--block-time", "block_time_s", type=click.IntRange(1, 60), default=1, show_default=True)
@command
async def devnet(
    home: Path,
    operators: int,
    off: tuple[int, ...],
    rpc_port: int,
    batcher_port: int,
    gateway_port: int,
    block_time_s: int,
) -> Result:
    """Run the whole system on this machine until Ctrl-C.

    The contracts stand at the addresses that clients of the reference have built in for their devnet, and with the
    default ports these clients find everything. A port that another program has is refused, and nothing is started. A
    role that ends is started again; without its chain or database the devnet ends.

    \b
    Example:
      aligned devnet --off 3
    """
    if unknown := [index for index in off if index >= operators]:
        raise click.UsageError(f"--off {unknown[0]}: operators are 0 to {operators - 1}")
    from aligned.devnet.cluster import ClusterConfig

    config = ClusterConfig(
        home,
        operators=operators,
        switched_off=frozenset(off),
        rpc_port=rpc_port,
        batcher_port=batcher_port,
        gateway_port=gateway_port,
        block_time_s=block_time_s,
    )
    await until_stopped(_run_devnet(config), stop_event())
    return Result({"stopped": True})


async def _run_devnet(config: ClusterConfig) -> None:
    from aligned.devnet.cluster import Cluster

    async with Cluster(config, lambda step: console.print(f"… {step}")) as cluster:
        network = cluster.network
        console.print(f"[bold green]ready[/]: RPC {network.rpc_urls[0]}, batcher {network.batcher_url}")
        aggregation = cluster.aggregation
        console.print(
            f"gateway {aggregation.gateway_url} (API: /docs), beacon node {aggregation.beacon_urls[0]}"
        )
        console.print(f"logs in {cluster.layout.log('batcher').parent}; Ctrl-C ends it")
        for warning in cluster.warnings:
            console.print(f"[bold red]warning[/]: {warning}", highlight=False)
        await cluster.watch(lambda line: console.print(line, markup=False)).run()


async def until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Does the work, which is cancelled when `stop` is set: also while it still begins.

    Raises:
        Anything that the work raises.
    """
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait((working, stopping))
    if not working.cancelled():
        working.result()


@click.command(cls=StrictCommand)
@click.option(
    "--home", type=_HOME, default=".aligned/demo", show_default=True, help="Folder; emptied at start."
)
@click.option(
    "--level",
    type=click.Choice(["native", "execute"]),
    default="native",
    show_default=True,
    help="How far aggregations are proved: plain code, or the zkVMs' executors (built by tools/build_prover.sh).",
)
@command
async def demo(home: Path, level: str) -> Result:
    """Send real proofs through both products on a devnet of its own, and what must be refused.

    Ends with a table and writes report.json into the folder. Exit code 0 only if everything held.

    \b
    Example:
      aligned demo && cat .aligned/demo/report.json
    """
    from aligned.devnet.demo import Demo, run_demo
    from aligned.devnet.demo_view import report, summary, view, write_report
    from aligned.devnet.layout import Layout

    if level == "execute":
        require_provers()
    found = Demo()
    stop = stop_event()
    with Live(view(found), console=console, refresh_per_second=4, transient=True) as live:
        running = asyncio.create_task(run_demo(home, found, lambda: live.update(view(found)), level))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        running.cancel()
        await asyncio.wait((running,))
    if Layout(home).is_ours:
        write_report(found, home / "report.json")
    error = None if running.cancelled() else running.exception()
    if error is not None and not isinstance(error, AlignedError):
        raise error
    # An error of ours is in the table and in the report.
    failed = EXIT_DEPENDENCY if error is not None and error.retryable else EXIT_FAILED
    return Result(report(found), summary(found), EXIT_OK if found.has_held else failed)


def stop_event() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, so that what was started is also ended."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def require_provers() -> None:
    """Looks for the workers of the execute level before anything is started.

    Raises:
        DependencyError: prover_not_built, with what to run.
    """
    from aligned.provers.commands import worker_folder
    from aligned.provers.levels import ProvingLevel

    folder = worker_folder(ProvingLevel.EXECUTE)
    missing = [
        name for name in ("aligned-prover-sp1", "aligned-prover-risc0") if not (folder / name).exists()
    ]
    if missing:
        raise DependencyError(
            "prover_not_built",
            f"{' and '.join(missing)} not in {folder}: run `tools/build_prover.sh execute`, or take --level native",
        )
