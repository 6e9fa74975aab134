"""The systems that are aggregated, each with its engine; refuses levels that prove nothing off the devnet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from aligned.chain.accounts import DEVNET_CHAIN_ID
from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from aligned.proof_aggregator.context import Line
from aligned.provers.commands import GIB, worker_command
from aligned.provers.levels import LEVELS, ProvingLevel
from aligned.provers.process import ProcessEngine
from aligned.provers.programs import load_program_ids
from aligned.provers.worker import WorkerCommand
from aligned.settings import INVALID_SETTINGS, ProofAggregatorSettings

log = structlog.get_logger(__name__)


def check_level(system: AggregationSystem, level: ProvingLevel, chain_id: int) -> None:
    """Says what a level is worth.

    Raises:
        ProtocolError: invalid_settings, for a level without a proof for the chain on any chain but the devnet.
    """
    name = f"proof_aggregator.{system.wire_name}_level"
    if level not in LEVELS[system]:
        raise ProtocolError(INVALID_SETTINGS, f"{name}: {system.name} has no level {level}")
    if level.reaches_chain:
        return
    if chain_id != DEVNET_CHAIN_ID:
        raise ProtocolError(
            INVALID_SETTINGS,
            f"{name} = {level} on chain {chain_id}: no contract but the devnet's takes its results; use groth16",
        )
    log.warning("aggregations_are_not_proven", system=system.wire_name, level=level)


async def open_lines(
    stack: AsyncExitStack, own: ProofAggregatorSettings, chain_id: int
) -> Mapping[AggregationSystem, Line]:
    """An engine for each system of the settings; `stack` closes them.

    Raises:
        ProtocolError: see `check_level`.
        InvariantError: unknown_program.
    """
    systems = [AggregationSystem.from_wire(name) for name in dict.fromkeys(own.systems)]
    levels = {system: ProvingLevel(own.level_of(system.wire_name)) for system in systems}
    for system, level in levels.items():
        check_level(system, level, chain_id)
    programs = load_program_ids()
    lines = {}
    for system, level in levels.items():
        engine = await stack.enter_async_context(open_engine(own, level))
        lines[system] = Line(system, engine, programs[system].chunk)
    return lines


def engine_dir(own: ProofAggregatorSettings) -> Path:
    """Where the engines keep results."""
    return own.result_dir.absolute() / "results"


def open_engine(own: ProofAggregatorSettings, level: ProvingLevel) -> ProcessEngine:
    """The engine of one level, with its workers as child processes."""
    folder = own.result_dir.absolute()

    def command(system: AggregationSystem, wanted: ProvingLevel) -> WorkerCommand:
        limit_bytes = own.prover_memory_gib * GIB if wanted.needs_prover else None
        log_file = _log_file(folder, system)
        return worker_command(system, wanted, log_file, folder=own.prover_dir, memory_bytes=limit_bytes)

    return ProcessEngine(level, engine_dir(own), command, timeout_s=own.proving_timeout_s)


def _log_file(folder: Path, system: AggregationSystem) -> Path:
    return folder / f"prover-{system.wire_name}.log"
