"""Where workers are and with what environment they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aligned.core.aggregation import AggregationSystem
from aligned.provers.levels import ProvingLevel
from aligned.provers.programs import PROGRAM_IDS, PROGRAMS
from aligned.provers.worker import WorkerCommand

GIB = 1 << 30
# All that a worker gets of its owner's environment, so that no secret is in reach of a hostile proof. RISC0_DEV_MODE is
# not among it: with it receipts without proof would pass.
_PASSED_ON = (
    "PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "RUST_LOG", "RUST_BACKTRACE",
    "SP1_GROTH16_CIRCUIT_PATH", "NETWORK_RPC_URL",
)  # fmt: skip
# SP1 6.10 proves with less than 20 GiB when each stage has one worker and short queues (defaults: 4 to 8).
_STAGES = (
    "SPLICING",
    "SETUP",
    "CORE",
    "PREPARE_REDUCE",
    "RECURSION_EXECUTOR",
    "RECURSION_PROVER",
    "DEFERRED",
)


def worker_folder(level: ProvingLevel) -> Path:
    """Where tools/build_prover.sh leaves the binaries of a level; ALIGNED_PROVER_DIR names another folder."""
    if folder := os.environ.get("ALIGNED_PROVER_DIR"):
        return Path(folder)
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "aligned"
    return cache / ("prover-target" if level.needs_prover else "prover-execute-target") / "release"


def worker_command(
    system: AggregationSystem,
    level: ProvingLevel,
    log: Path,
    *,
    folder: Path | None = None,
    programs: Path = PROGRAMS,
    memory_bytes: int | None = None,
) -> WorkerCommand:
    """The worker for a system and level.

    Args:
        folder: with the binaries aligned-prover-sp1 and -risc0; None for where tools/build_prover.sh leaves them.
        programs: folder with the guests.
        memory_bytes: limit; None for what the level is known to need.
    """
    name = system.wire_name
    if level is ProvingLevel.NATIVE:
        arguments = [sys.executable, "-m", "aligned.provers.native_worker", name]
    else:
        arguments = [str((folder or worker_folder(level)) / f"aligned-prover-{name}"), str(programs)]
    default_bytes = (22 if level.needs_prover else 6) * GIB
    identity = (programs / PROGRAM_IDS.name).read_bytes()
    return WorkerCommand(arguments, identity, _environment(level), memory_bytes or default_bytes, log)


def _environment(level: ProvingLevel) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if level is ProvingLevel.NETWORK and (key := os.environ.get("NETWORK_PRIVATE_KEY")):
        passed_on["NETWORK_PRIVATE_KEY"] = key
    knobs = {name: value for name, value in os.environ.items() if name.startswith(("SP1_WORKER_", "RAYON_"))}
    return passed_on | (_low_memory() if level.needs_prover else {"RAYON_NUM_THREADS": "2"}) | knobs


def _low_memory() -> dict[str, str]:
    workers = {f"SP1_WORKER_NUM_{stage}_WORKERS": "1" for stage in _STAGES}
    buffers = {f"SP1_WORKER_{stage}_BUFFER_SIZE": "1" for stage in _STAGES}
    return {"RAYON_NUM_THREADS": "2", **workers, **buffers}
