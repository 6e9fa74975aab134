"""How much of (workers × the bare verifier's rate) the verifier pool reaches: `python bench/bench_verifier_pool.py`.

bare: one process per worker, at the same time, nothing but the verifier. pool: the same proofs through `VerifierPool`.
Both are measured in turn, several times, so that the ratio (median, bar 0.9) does not depend on the machine or on what
else runs on it; `workers_busy` says how much of the workers' time is verification, which other load changes least.
Beside it: what the decoder of messages needs for a proof of 1.2 MB, in both forms.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

import cbor2

from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers.pool import VerifierPool
from aligned.verifiers.registry import get_verifier
from aligned.wire.cbor import Limits, decode

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
ROUNDS, PROOFS_PER_WORKER = 5, 20
BAR = 0.9


def sample() -> VerificationData:
    """A Composite receipt of RISC0."""
    parts = [(VECTORS / f"risc0/fib3_20_composite.{name}").read_bytes() for name in ("proof", "pub", "id")]
    return VerificationData(ProvingSystem.RISC0, parts[0], parts[1], None, parts[2], bytes(20))


def verify_bare(data: VerificationData, count: int) -> None:
    """`count` times the verifier, in this process."""
    verifier = get_verifier(data.proving_system)
    for _ in range(count):
        assert verifier.verify(data).valid


def bare_rate(workers: int, data: VerificationData) -> float:
    """Proofs per second of `workers` processes that verify and do nothing else."""
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        processes.starmap(verify_bare, [(data, 1)] * workers, chunksize=1)
        start = time.perf_counter()
        processes.starmap(verify_bare, [(data, PROOFS_PER_WORKER)] * workers, chunksize=1)
        return workers * PROOFS_PER_WORKER / (time.perf_counter() - start)


async def pool_rate(pool: VerifierPool, data: VerificationData) -> tuple[float, float]:
    """Proofs per second through the pool, and the share of their time that its workers verified."""
    start = time.perf_counter()
    verdicts = await pool.verify_all([data] * (pool.workers * PROOFS_PER_WORKER))
    assert all(verdict.valid for verdict in verdicts)
    wall_s = time.perf_counter() - start
    return len(verdicts) / wall_s, sum(v.seconds for v in verdicts) / (pool.workers * wall_s)


def decode_seconds(message: object) -> float:
    """Best of three."""
    data, limits = cbor2.dumps(message), Limits(1 << 24)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        decode(data, limits)
        times.append(time.perf_counter() - start)
    return min(times)


async def measure() -> dict[str, float | bool]:
    """All figures."""
    # One thread per process, as the pool's workers have it.
    os.environ["RAYON_NUM_THREADS"] = "1"
    data = sample()
    ratios, rates, shares = [], [], []
    async with VerifierPool() as pool:
        await pool_rate(pool, data)
        for _ in range(ROUNDS):
            bare = await asyncio.to_thread(bare_rate, pool.workers, data)
            rate, share = await pool_rate(pool, data)
            rates.append(rate)
            shares.append(share)
            ratios.append(rate / bare)
        workers = pool.workers
    blob = os.urandom(1_200_000)
    ratio = statistics.median(ratios)
    return {
        "workers": workers,
        "pool_proofs_per_s": round(statistics.median(rates), 1),
        "ratio_to_bare": round(ratio, 3),
        "workers_busy": round(statistics.median(shares), 3),
        "bar": BAR,
        "meets_bar": ratio >= BAR,
        "decode_integers_ms": round(1_000 * decode_seconds({"proof": list(blob)}), 1),
        "decode_bytes_ms": round(1_000 * decode_seconds({"proof": blob}), 2),
    }


def main() -> None:
    """Prints the figures as JSON; fails below the bar."""
    figures = asyncio.run(measure())
    print(json.dumps(figures, indent=2))
    sys.exit(0 if figures["meets_bar"] else 1)


if __name__ == "__main__":
    main()
