"""How fast the gateway takes real SP1 proofs, and how fast it answers with 100,000 of them stored.

submissions: each is a real compressed proof (1.27 MB) of an account of its own: signed, uploaded over HTTP, verified,
answered with 201. Gateway, PostgreSQL (durable) and clients share the machine. ratio = submissions' rate / (cores ×
bare verifier's rate), bar 85 %. Both are measured in turn, several times; the median of the ratios counts. Other load
hits the gateway on all cores and the bare verifier on one, so there are two more figures: the ratio to bare verifiers
on all cores at once, and that of CPU seconds a proof (bare verifier / all processes of the gateway and PostgreSQL).

reads: quotas and receipts of random accounts and proofs, each on a connection of its own; bar 1,500 a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aligned_native import verify_sp1
from gateway_bed import Bed, exchange, pay_for, running_bed, sample, seed, uploads

SUBMISSION_BAR, READ_BAR = 0.85, 1_500
FIGURES = Path(__file__).parent / "gateway.json"
_CLIENTS = 8
_STORED, _ACCOUNTS = 100_000, 1_000


def bare_seconds(count: int) -> tuple[float, float]:
    """Wall and CPU seconds a proof of the verifier alone: one process, one thread."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    proof, key, values = sample()
    verify_sp1(proof, values, key, None)  # keys and tables are loaded once
    started, cpu_started = time.perf_counter(), time.process_time()
    for _ in range(count):
        assert verify_sp1(proof, values, key, None).valid
    return (time.perf_counter() - started) / count, (time.process_time() - cpu_started) / count


def bare(count: int, processes: int) -> tuple[float, float]:
    """The same, on average, in `processes` processes at once."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        seconds = pool.map(bare_seconds, [count] * processes, chunksize=1)
    wall, cpu = (statistics.mean(column) for column in zip(*seconds, strict=True))
    return wall, cpu


def submit_all(bed: Bed, first: int, count: int) -> tuple[float, float]:
    """Wall and CPU seconds a submission."""
    asyncio.run(pay_for(bed.database_url, first, count))
    requests = uploads(first, count)

    def submit(number: int) -> None:
        answer = exchange(bed.ports[number % len(bed.ports)], *requests[number])
        assert answer.startswith(b"HTTP/1.1 201"), answer[:2_000]

    started, cpu_started = time.perf_counter(), bed.cpu_seconds()
    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(submit, range(count)))
    return (time.perf_counter() - started) / count, (bed.cpu_seconds() - cpu_started) / count


def measure_submissions(count: int, rounds: int, cores: int) -> dict[str, float]:
    """Medians over `rounds`."""
    alone, together, whole = [], [], []
    with tempfile.TemporaryDirectory() as folder, running_bed(Path(folder), gateways=1) as bed:
        submit_all(bed, 1, 10)  # the workers load their keys
        for turn in range(rounds):
            alone.append(bare(count, 1))
            whole.append(submit_all(bed, 1_000 * (turn + 1), count))
            together.append(bare(count, cores))
    return {
        "cores": cores,
        "bare_per_s": 1 / statistics.median(wall for wall, _ in alone),
        "submissions_per_s": 1 / statistics.median(wall for wall, _ in whole),
        "ratio": statistics.median(a[0] / (cores * w[0]) for a, w in zip(alone, whole, strict=True)),
        "ratio_all_cores": statistics.median(
            t[0] / (cores * w[0]) for t, w in zip(together, whole, strict=True)
        ),
        "ratio_cpu": statistics.median(a[1] / w[1] for a, w in zip(alone, whole, strict=True)),
    }


def read_rate(ports: tuple[int, ...], path: Callable[[], str], seconds: float) -> float:
    """Answers a second to clients that ask again and again."""
    end = time.perf_counter() + seconds

    def ask(client: int) -> int:
        answered = 0
        while time.perf_counter() < end:
            request = f"GET {path()} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            assert exchange(ports[client % len(ports)], request).startswith(b"HTTP/1.1 200")
            answered += 1
        return answered

    with ThreadPoolExecutor(_CLIENTS) as clients:
        return sum(clients.map(ask, range(_CLIENTS))) / seconds


def measure_reads(seconds: float, rounds: int, gateways: int) -> dict[str, float]:
    """Medians over `rounds`."""
    chance = random.Random(1)  # noqa: S311 - which rows are asked for
    quotas, receipts = [], []
    with tempfile.TemporaryDirectory() as folder, running_bed(Path(folder), gateways) as bed:
        ids = asyncio.run(seed(bed.database_url, _ACCOUNTS, _STORED))
        for _ in range(rounds):
            quotas.append(
                read_rate(
                    bed.ports, lambda: f"/v1/accounts/0x{chance.randint(1, _ACCOUNTS):040x}/quota", seconds
                )
            )
            receipts.append(read_rate(bed.ports, lambda: f"/v1/proofs/{chance.choice(ids)}", seconds))
    return {
        "stored": len(ids),
        "gateways": gateways,
        "quotas_per_s": statistics.median(quotas),
        "receipts_per_s": statistics.median(receipts),
    }


def main() -> None:
    """Measures, prints, and writes gateway.json when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proofs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--gateways", type=int, default=1, help="processes that answer reads")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", choices=["submissions", "reads"])
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if options.only != "reads":
        found["submissions"] = measure_submissions(options.proofs, options.rounds, options.cores)
        print(f"SP1 submissions: {json.dumps(found['submissions'])}  (bar: ratio {SUBMISSION_BAR})")
    if options.only != "submissions":
        found["reads"] = measure_reads(options.seconds, options.rounds, options.gateways)
        print(f"reads: {json.dumps(found['reads'])}  (bar: {READ_BAR} a second each)")
    if options.save:
        FIGURES.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
