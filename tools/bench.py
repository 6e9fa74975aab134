"""Runs every measurement and prints ours beside the reference's figure and the bar: `make bench`.

Gas figures come from tools/bench_gas.py (exact); times are measured here and depend on the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import bench_gas

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """One measured value; `bar` is the most it may be, or the least if `more_is_better`."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    reference: float | None = None
    more_is_better: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.more_is_better else self.value <= self.bar


def gas_figures() -> list[Figure]:
    """Measured afresh by tools/bench_gas.py."""
    subprocess.run([sys.executable, "tools/bench_gas.py"], cwd=ROOT, check=True)
    measured: dict[str, float] = json.loads(bench_gas.GAS_FILE.read_text())
    return [
        Figure(name, value, "gas", bench_gas.BARS.get(name), bench_gas.REFERENCE.get(name))
        for name, value in measured.items()
    ]


def native_figures() -> list[Figure]:
    """Merkle tree, BLS and verifiers; the reference is the plain implementation in Python."""
    command = [sys.executable, "bench/bench_native.py", "--json"]
    # Its exit status says whether a bar was missed, which the table shows anyway.
    output = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout
    found: list[dict[str, Any]] = json.loads(output)
    return [Figure(item["name"], item["value"], item["unit"], item["bar"], item["plain"]) for item in found]


def operator_figures() -> list[Figure]:
    """How much of the bare verifiers' rate an operator reaches on a batch of SP1 and RISC0 proofs."""
    command = [sys.executable, "bench/bench_operator.py", "--json"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return [
        Figure("bare verifier, one process", found["bare_per_s"], "proofs/s"),
        Figure(f"operator, {found['cores']} cores", found["operator_per_s"], "proofs/s"),
        Figure("operator / (cores x bare)", 100 * found["ratio"], "%", 90.0, more_is_better=True),
        Figure("the same by CPU time (other load does not count)", 100 * found["ratio_cpu"], "%"),
    ]


def pool_figures() -> list[Figure]:
    """How much of the bare verifiers' rate the verifier pool reaches, and what decoding a message costs."""
    command = [sys.executable, "bench/bench_verifier_pool.py"]
    # Its exit status says whether the bar was missed, which the table shows anyway.
    output = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return [
        Figure(f"verifier pool, {found['workers']} workers", found["pool_proofs_per_s"], "proofs/s"),
        Figure(
            "verifier pool / (workers x bare)",
            100 * found["ratio_to_bare"],
            "%",
            100 * found["bar"],
            more_is_better=True,
        ),
        Figure("its workers' time spent on verifying", 100 * found["workers_busy"], "%"),
        Figure("decode a 1.2 MB message, arrays of integers", found["decode_integers_ms"], "ms"),
        Figure("decode a 1.2 MB message, byte strings", found["decode_bytes_ms"], "ms"),
    ]


def gateway_figures() -> list[Figure]:
    """What the gateway takes of real SP1 proofs, and how fast it answers reads."""
    subprocess.run([sys.executable, "bench/bench_gateway.py", "--save"], cwd=ROOT, check=True)
    found: dict[str, dict[str, float]] = json.loads((ROOT / "bench" / "gateway.json").read_text())
    submissions, reads = found["submissions"], found["reads"]
    return [
        Figure("gateway, SP1 submissions", submissions["submissions_per_s"], "proofs/s"),
        Figure("gateway / (cores x bare)", 100 * submissions["ratio"], "%", 85.0, more_is_better=True),
        Figure("gateway, quotas read", reads["quotas_per_s"], "1/s", 1_500, more_is_better=True),
        Figure("gateway, receipts read", reads["receipts_per_s"], "1/s", 1_500, more_is_better=True),
    ]


def proving_figures() -> list[Figure]:
    """256 real proofs through both SP1 guests in the executor, where tools/build_prover.sh builds it."""
    command = [sys.executable, "bench/bench_proving.py", "--write"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        return []
    found: dict[str, Any] = json.loads((ROOT / "bench" / "proving.json").read_text())["execute"]
    return [Figure("execute 256 SP1 proofs, both programs", found["sp1"]["seconds"], "s", 180.0)]


def number(value: float | None) -> str:
    """Whole above a thousand, else four digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}"


def render(figures: list[Figure]) -> Table:
    """One row a figure."""
    table = Table("figure", "unit", "ours", "reference", "bar", "met")
    for figure in figures:
        numbers = (number(value) for value in (figure.value, figure.reference, figure.bar))
        table.add_row(figure.name, figure.unit, *numbers, {True: "yes", False: "NO", None: ""}[figure.holds])
    return table


def main() -> int:
    """Exit status 1 when a bar is missed."""
    parts = (gas_figures, native_figures, pool_figures, operator_figures, gateway_figures, proving_figures)
    figures = [figure for measure in parts for figure in measure()]
    Console().print(render(figures))
    return int(any(figure.holds is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
