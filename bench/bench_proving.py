"""Executes both SP1 guests over 256 real proofs (the vectors, repeated) and both RISC0 guests over 32.

    bench/bench_proving.py [--write]     --write puts the figures into bench/proving.json

Every user proof is verified, as in the level `execute`; nothing is proven. Real proofs: tools/prove_fixtures.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # tests.aggregation_proofs: the real proofs

from aligned.chain.kzg import hashes_of  # noqa: E402
from aligned.core.aggregation import AggregationSystem  # noqa: E402
from aligned.core.blob import encode_blobs  # noqa: E402
from aligned.provers.commands import worker_command, worker_folder  # noqa: E402
from aligned.provers.levels import ProvingLevel  # noqa: E402
from aligned.provers.process import ProcessEngine  # noqa: E402
from aligned.provers.worker import WorkerCommand  # noqa: E402
from tests.aggregation_proofs import RISC0, SP1, Statement, sample_proofs  # noqa: E402

FIGURES = ROOT / "bench" / "proving.json"
PROOFS = {SP1: 256, RISC0: 32}


async def execute(system: AggregationSystem, proofs: Sequence[Statement], binaries: Path) -> dict[str, Any]:
    """Seconds and cycles of one chunk of these proofs and the final run over it."""
    commitments = [proof.commitment(system) for proof in proofs]
    hashes = hashes_of(encode_blobs(commitments))
    with tempfile.TemporaryDirectory() as folder:

        def commands(which: AggregationSystem, level: ProvingLevel) -> WorkerCommand:
            return worker_command(which, level, Path(folder) / "log", folder=binaries)

        started = time.monotonic()
        async with ProcessEngine(ProvingLevel.EXECUTE, Path(folder), commands) as engine:
            chunk = await engine.user_proofs(system, [proof.user_proof for proof in proofs], commitments)
            final = await engine.chunk(system, [chunk], [commitments], hashes)
        seconds = time.monotonic() - started
    return {
        "proofs": len(proofs),
        "seconds": round(seconds, 1),
        "user_proofs_cycles": chunk.cycles,
        "chunk_cycles": final.cycles,
        "peak_rss_mib": max(chunk.peak_rss_bytes, final.peak_rss_bytes) >> 20,
    }


async def measure(system: AggregationSystem, binaries: Path) -> dict[str, Any]:
    """The full run and a small one, whose difference is the cost of one more proof."""
    samples = sample_proofs(system)
    proofs = [samples[index % len(samples)] for index in range(PROOFS[system])]
    full = await execute(system, proofs, binaries)
    few = await execute(system, proofs[: len(samples)], binaries)
    more = len(proofs) - len(samples)
    marginal = (full["user_proofs_cycles"] - few["user_proofs_cycles"]) / more
    return {**full, "marginal_cycles_per_proof": round(marginal)}


def main() -> None:
    """See the module."""
    if "ALIGNED_PROVER_DIR" not in os.environ:
        subprocess.run([ROOT / "tools" / "build_prover.sh", "execute"], stdout=subprocess.DEVNULL, check=True)
    binaries = worker_folder(ProvingLevel.EXECUTE)
    execution = {system.wire_name: asyncio.run(measure(system, binaries)) for system in AggregationSystem}
    print(json.dumps(execution, indent=2))
    if "--write" in sys.argv[1:]:
        stored = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        FIGURES.write_text(json.dumps({**stored, "execute": execution}, indent=2) + "\n")


if __name__ == "__main__":
    main()
