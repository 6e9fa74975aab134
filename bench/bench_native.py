"""Measures the native extension: `python bench/bench_native.py [--json]`.

Beside each figure stands the same work by the plain implementation of tests/reference, measured in the same run, so
that the ratio does not depend on the machine; or for proofs the rate of two threads against twice that of one (1 when
two cores were free).
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import aligned_native as native

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.reference import bls as plain_bls  # noqa: E402
from tests.reference import merkle as plain_merkle  # noqa: E402

VECTORS = ROOT / "tests" / "vectors"
LEAVES, PLAIN_LEAVES = 1 << 20, 1 << 12
VERIFIER_RUNS = 10
MERKLE_BAR_S, BLS_BAR_MS = 2.0, 5.0


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        value: ours, in `unit`.
        bar: the most it may be.
        plain: the same by the plain implementation, in `unit`.
        speed_up: plain / value.
        two_threads: rate of two threads / (2 × rate of one).
    """

    name: str
    value: float
    unit: str
    bar: float | None = None
    plain: float | None = None
    speed_up: float | None = None
    two_threads: float | None = None


def seconds(call: Callable[[], object], times: int) -> float:
    """Best of `times` calls: what the code needs when nothing disturbs it."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


def compared(name: str, ours: float, unit: str, plain: float, bar: float | None = None) -> Figure:
    """A figure with the plain implementation's beside it."""
    return Figure(name, ours, unit, bar, plain, plain / ours)


def hashing_figures() -> list[Figure]:
    """The Merkle root; the plain tree is measured on fewer leaves and scaled."""
    leaves = secrets.token_bytes(32 * LEAVES)
    few = [leaves[i : i + 32] for i in range(0, 32 * PLAIN_LEAVES, 32)]
    plain = seconds(lambda: plain_merkle.root(few), 1) * LEAVES / PLAIN_LEAVES
    ours = seconds(lambda: native.merkle_root(leaves), 3)
    return [compared("merkle_root_2_20", ours, "s", plain, MERKLE_BAR_S)]


def bls_figures() -> list[Figure]:
    """Signing and verifying."""
    secret, digest = native.bls_secret_from_seed(secrets.token_bytes(32)), secrets.token_bytes(32)
    key, signature = native.bls_public_key(secret)[1], native.bls_sign(secret, digest)
    scalar = int.from_bytes(secret, "big")
    return [
        compared(
            "bls_sign",
            1e3 * seconds(lambda: native.bls_sign(secret, digest), 50),
            "ms",
            1e3 * seconds(lambda: plain_bls.sign(scalar, digest), 3),
        ),
        compared(
            "bls_verify",
            1e3 * seconds(lambda: native.bls_verify(key, digest, signature), 50),
            "ms",
            1e3 * seconds(lambda: plain_bls.verify(key, digest, signature), 1),
            BLS_BAR_MS,
        ),
    ]


def proofs() -> dict[str, Callable[[], native.Verdict]]:
    """A verification of each kind of proof that is at hand."""

    def read(name: str) -> bytes:
        return (VECTORS / name).read_bytes()

    values = json.loads(read("sp1/meta.json"))["proofs"]["fib_a.compressed.proof"]["public_values"]
    sp1 = (read("sp1/fib_a.compressed.proof"), bytes.fromhex(values[2:]), read("sp1/fib.vk"), None)
    risc0 = {
        name: tuple(read(f"risc0/{name}.{part}") for part in ("proof", "pub", "id"))
        for name in ("fib3_20_composite", "groth16_v3")
    }
    circom = tuple(
        read(f"circom/{name}.json") for name in ("preimage_a.proof", "preimage_a.public", "verification_key")
    )
    return {
        "sp1_compressed": lambda: native.verify_sp1(*sp1),
        "risc0_composite": lambda: native.verify_risc0(*risc0["fib3_20_composite"]),
        "risc0_groth16": lambda: native.verify_risc0(*risc0["groth16_v3"]),
        "circom_groth16": lambda: native.verify_circom_groth16(*circom),
    }


def repeated(call: Callable[[], object], threads: int) -> float:
    """Seconds for VERIFIER_RUNS calls in each of some threads."""

    def work() -> None:
        for _ in range(VERIFIER_RUNS):
            call()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started


def verifier_figures() -> list[Figure]:
    """Each verifier on a real proof, alone and in two threads."""
    figures = []
    for name, verify in proofs().items():
        if not verify().valid:
            raise SystemExit(f"{name}: the vector does not verify")
        alone, two = repeated(verify, 1), repeated(verify, 2)
        figures.append(Figure(name, 1e3 * seconds(verify, VERIFIER_RUNS), "ms", two_threads=alone / two))
    return figures


def line(figure: Figure) -> str:
    """One row of the table."""

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:,.3g}"

    columns = (figure.plain, figure.speed_up, figure.bar, figure.two_threads)
    ours = f"{figure.name:<18} {number(figure.value):>9} {figure.unit:<3}"
    return ours + "".join(f" {number(value):>9}" for value in columns)


def main() -> int:
    """Exit status 1 when a bar is missed."""
    figures = [*hashing_figures(), *bls_figures(), *verifier_figures()]
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
    else:
        print(f"{'':<18} {'ours':>13} {'plain':>9} {'ratio':>9} {'bar':>9} {'threads':>9}")
        print("\n".join(line(figure) for figure in figures))
    return int(any(figure.bar is not None and figure.value > figure.bar for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
