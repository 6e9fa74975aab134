"""The workers of both systems without their provers, built once from zkvm/prover."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.provers.commands import worker_command, worker_folder
from aligned.provers.levels import ProvingLevel
from aligned.provers.process import ProcessEngine
from aligned.provers.worker import WorkerCommand

ROOT = Path(__file__).resolve().parents[3]
Engines = Callable[[ProvingLevel], ProcessEngine]


@pytest.fixture(scope="session")
def workers() -> Path:
    """Folder with the binaries; building them takes minutes the first time. ALIGNED_PROVER_DIR: where they are."""
    if "ALIGNED_PROVER_DIR" in os.environ:
        return worker_folder(ProvingLevel.EXECUTE)
    if shutil.which("cargo") is None or shutil.which("cc") is None:
        pytest.skip("building the prover workers needs Cargo and a C compiler")
    built = subprocess.run(
        ["tools/build_prover.sh", "execute"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(built.stdout.strip().splitlines()[-1])


@pytest.fixture
def engine_of(workers: Path, tmp_path: Path) -> Engines:
    """Engines whose workers can execute only, for any level."""

    def make(level: ProvingLevel) -> ProcessEngine:
        def commands(system: AggregationSystem, level: ProvingLevel) -> WorkerCommand:
            return worker_command(system, level, tmp_path / "worker.log", folder=workers)

        return ProcessEngine(level, tmp_path / "results", commands, timeout_s=300)

    return make
