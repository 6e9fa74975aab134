"""Runs the demo several times, if wanted beside busy processes: `python tools/repeat_demo.py 10 --busy 2`.

One run says little about races. Ends with a table, and with status 1 if a single run did not hold; the report and the
logs of each run that failed are kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Ends with its parent: it looks whether that is still the same one.
_BUSY_LOOP = "import os; parent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"


@dataclass(frozen=True)
class Run:
    """What became of one run.

    Attributes:
        problems: why it did not hold, a line for each; empty if it held.
    """

    number: int
    status: int
    seconds: float
    problems: list[str]

    @property
    def has_held(self) -> bool:
        """Whether everything in it held."""
        return self.status == 0 and not self.problems


@contextmanager
def busy(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that do nothing but take processor time."""
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY_LOOP]) for _ in range(count)]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def problems_of(report: Any) -> list[str]:
    """What report.json says against a run."""
    if not isinstance(report, dict):
        return ["no report"]
    found = [f"{each['where']}: {each['code']}: {each['reason']}" for each in report.get("errors", [])]
    if not report.get("ok") and not found:
        found.append("not everything held: see the report")
    return found


def run_demo(number: int, home: Path, command: Sequence[str], limit_s: float) -> Run:
    """One run of the demo in a folder of its own."""
    started = time.monotonic()
    log = home.with_name(home.name + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                [*command, "--home", str(home)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
            )
            status, problems = done.returncode, list[str]()
        except subprocess.TimeoutExpired:
            status, problems = 124, [f"ended after {limit_s:.0f} s"]
    problems += problems_of(_report(home / "report.json"))
    if status and not problems:
        problems.append(f"exit status {status}")
    return Run(number, status, time.monotonic() - started, problems)


def _report(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def table(runs: Sequence[Run]) -> str:
    """A line for each run, and the reasons of those that failed."""
    lines = ["run  result  seconds"]
    for run in runs:
        lines.append(f"{run.number:<4} {'held' if run.has_held else 'FAILED':<7} {run.seconds:7.0f}")
        lines += [f"       {problem}" for problem in run.problems]
    held = sum(run.has_held for run in runs)
    return "\n".join([*lines, f"{held} of {len(runs)} held"])


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 if every run held, else 1."""
    parser = argparse.ArgumentParser(description="Run the demo several times.")
    parser.add_argument("count", type=int, help="how many times")
    parser.add_argument("--busy", type=int, default=2, help="busy processes beside it (default 2)")
    parser.add_argument("--home", type=Path, default=ROOT / ".aligned" / "repeat", help="folder for all runs")
    parser.add_argument("--level", default="native", help="as of `aligned demo`")
    parser.add_argument("--limit", type=float, default=1_800.0, help="longest time for one run, in seconds")
    options = parser.parse_args(arguments)
    if options.count < 1 or options.busy < 0:
        parser.error("expected at least one run and no negative number of busy processes")
    command = [sys.executable, "-m", "aligned.cli.main", "demo", "--level", options.level]
    runs: list[Run] = []
    with busy(options.busy):
        for number in range(1, options.count + 1):
            home = options.home.absolute() / str(number)
            runs.append(run_demo(number, home, command, options.limit))
            print(table(runs[-1:]).splitlines()[1], *runs[-1].problems, sep="\n       ", flush=True)
            if runs[-1].has_held:
                shutil.rmtree(home, ignore_errors=True)
    print(table(runs))
    return int(not all(run.has_held for run in runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
