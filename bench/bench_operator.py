"""How much of the bare verifier's rate an operator reaches on a whole batch.

bare: one process, one thread, nothing but the verifier, on the same proofs. operator: decode the batch file, rebuild
its root, verify everything in the pool as an operator runs it. ratio = operator's rate / (cores × bare rate),
bar 90 %. Both are measured in turn, several times; the median of the ratios counts.

Other load on the machine hits the operator on all cores and the bare process on one, so two more figures are printed:
the ratio to bare processes on all cores at once, and the one that load cannot change: CPU seconds of the bare verifier
over all CPU seconds that the operator and its workers use for the batch.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path

from aligned.core.merkle import merkle_root
from aligned.core.types import ProvingSystem, VerificationData
from aligned.operator.judge import judge_batch
from aligned.storage.batch_files import Batch, leaf_of, open_batch
from aligned.verifiers.pool import VerifierPool
from aligned.verifiers.registry import get_verifier, supported_systems
from aligned.wire.batch_file import encode_batch

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
BAR = 0.9
GENERATOR = bytes(20)


def real_proofs() -> list[VerificationData]:
    """Two SP1 and two RISC0 proofs."""
    sp1, risc0 = VECTORS / "sp1", VECTORS / "risc0"
    meta = json.loads((sp1 / "meta.json").read_text())["proofs"]
    found = []
    for name in ("fib_a.compressed.proof", "fib_b.compressed.proof"):
        values = bytes.fromhex(meta[name]["public_values"][2:])
        key = (sp1 / "fib.vk").read_bytes()
        proof = (sp1 / name).read_bytes()
        found.append(VerificationData(ProvingSystem.SP1, proof, values, key, None, GENERATOR))
    for name in ("fib3_20_composite", "fib3_30_composite"):
        proof, journal, image = ((risc0 / f"{name}.{part}").read_bytes() for part in ("proof", "pub", "id"))
        found.append(VerificationData(ProvingSystem.RISC0, proof, journal, None, image, GENERATOR))
    return found


def batch_of(count: int) -> list[VerificationData]:
    """The real proofs over and over; the generator's address makes every leaf another one."""
    turns = itertools.islice(itertools.cycle(real_proofs()), count)
    return [
        replace(proof, proof_generator_addr=number.to_bytes(20, "big")) for number, proof in enumerate(turns)
    ]


def bare_seconds(count: int) -> tuple[float, float]:
    """Wall and CPU seconds of the verifiers alone, one process, one thread."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    batch = batch_of(count)
    for proof in real_proofs():
        get_verifier(proof.proving_system).verify(proof)  # keys and tables are loaded once
    started, cpu_started = time.perf_counter(), time.process_time()
    for proof in batch:
        verdict = get_verifier(proof.proving_system).verify(proof)
        assert verdict.valid, verdict
    return time.perf_counter() - started, time.process_time() - cpu_started


def bare_rates(count: int, processes: int) -> tuple[float, float]:
    """Proofs a second, by the clock and by CPU time, of one process while `processes` of them run."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        seconds = pool.map(bare_seconds, [count] * processes, chunksize=1)
    wall, cpu = (statistics.mean(column) for column in zip(*seconds, strict=True))
    return count / wall, count / cpu


def cpu_seconds() -> float:
    """CPU time of this process and its children so far (Linux)."""
    pids = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in stats)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


async def operator_rates(file: bytes, root: bytes, count: int, pool: VerifierPool) -> tuple[float, float]:
    """Proofs a second from the file to the verdict, by the clock and by CPU time."""
    started, cpu_started = time.perf_counter(), cpu_seconds()
    batch = await asyncio.to_thread(open_batch, file, root, count)
    assert isinstance(batch, Batch), batch
    refusal = await judge_batch(batch, pool, frozenset(supported_systems()), 0, 2 * pool.workers)
    assert refusal is None, refusal
    return count / (time.perf_counter() - started), count / (cpu_seconds() - cpu_started)


async def measure(count: int, rounds: int, cores: int) -> dict[str, float]:
    """Medians over `rounds`."""
    proofs = batch_of(count)
    file, root = encode_batch(proofs), merkle_root([leaf_of(proof) for proof in proofs])
    alone, together, whole = [], [], []
    async with VerifierPool() as pool:
        await operator_rates(file, root, count, pool)  # the pool's workers load their keys as well
        for _ in range(rounds):
            alone.append(await asyncio.to_thread(bare_rates, count, 1))
            whole.append(await operator_rates(file, root, count, pool))
            together.append(await asyncio.to_thread(bare_rates, count, cores))
    return {
        "cores": cores,
        "proofs": count,
        "batch_bytes": len(file),
        "bare_per_s": statistics.median(wall for wall, _ in alone),
        "operator_per_s": statistics.median(wall for wall, _ in whole),
        "ratio": statistics.median(w[0] / (cores * a[0]) for w, a in zip(whole, alone, strict=True)),
        "ratio_all_cores": statistics.median(
            w[0] / (cores * t[0]) for w, t in zip(whole, together, strict=True)
        ),
        "ratio_cpu": statistics.median(w[1] / a[1] for w, a in zip(whole, alone, strict=True)),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proofs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.proofs, options.rounds, options.cores))
    if options.json:
        print(json.dumps(found))
        return
    print(f"batch: {options.proofs} proofs, {found['batch_bytes'] / 2**20:.1f} MiB, {options.cores} cores")
    print(f"bare verifier, one process:     {found['bare_per_s']:8.2f} proofs/s")
    print(f"operator, file to verdict:      {found['operator_per_s']:8.2f} proofs/s")
    print(
        f"ratio to cores × bare:          {found['ratio']:8.1%}   (bar {BAR:.0%}; reference: none published)"
    )
    print(f"ratio, bare on all cores:       {found['ratio_all_cores']:8.1%}")
    print(f"ratio by CPU time:              {found['ratio_cpu']:8.1%}")


if __name__ == "__main__":
    main()
