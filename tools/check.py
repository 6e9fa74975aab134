"""Runs named steps of the checks one after another: `python tools/check.py lint unit ...`.

Every step runs, even after one has failed, so that one run shows everything; the last lines are a table and the exit
status is 1 if any step failed. A step that exceeds its limit is ended with all its children.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "aligned"
STEP_LIMIT_S = 2_700

# The pure suites run without Ape's pytest plugin: it adds seconds to each start and they need nothing of it.
PURE = ["pytest", "-p", "no:ape_test"]
APE_LOCAL = ["ape", "test", "--network", "ethereum:local:foundry"]
APE_FORK = ["ape", "test", "--network", "ethereum:mainnet-fork:foundry"]
CARGO = ["--manifest-path", "zkvm/Cargo.toml", "--workspace", "--locked"]

STEPS: dict[str, list[list[str]]] = {
    "lint": [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "offchain", "tools", "scripts", "bench"],
        ["lint-imports", "--no-logo"],
        ["forge", "fmt", "--check"],
        ["node_modules/.bin/solhint", "--disc", "--noPoster", "--max-warnings", "0", "contracts/**/*.sol"],
        ["cargo", "fmt", "--manifest-path", "zkvm/Cargo.toml", "--all", "--check"],
        ["cargo", "fmt", "--manifest-path", "zkvm/prover/Cargo.toml", "--all", "--check"],
        ["cargo", "fmt", "--manifest-path", "zkvm/programs/sp1/Cargo.toml", "--all", "--check"],
        ["cargo", "fmt", "--manifest-path", "zkvm/programs/risc0/Cargo.toml", "--all", "--check"],
        ["cargo", "fmt", "--manifest-path", "zkvm/programs/identify/Cargo.toml", "--check"],
        ["cargo", "clippy", *CARGO, "--all-targets", "--", "-D", "warnings"],
    ],
    "unit": [[*PURE, "tests/unit"]],
    "parity": [[*PURE, "tests/parity"]],
    # The workers are built without their provers; the integration tests use them.
    "rust": [["cargo", "test", *CARGO, "--release", "--quiet"], ["tools/build_prover.sh", "test"]],
    "contracts": [[*APE_LOCAL, "tests/contracts"]],
    "forge": [["forge", "test"]],
    "integration": [[*PURE, "tests/integration"]],
    "faults": [[*PURE, "tests/faults"]],
    "e2e": [[*PURE, "tests/e2e"]],
    "fork": [[*APE_FORK, "tests/fork"]],
}


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    step: str
    failed: list[str]
    seconds: float


def environment() -> dict[str, str]:
    """The caller's, with the tools of this clone first and Cargo's output outside it."""
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(CACHE / "cargo-target")),
        "PYTHONUNBUFFERED": "1",
    }


def run_command(command: list[str]) -> bool:
    """Whether the command ended with status 0 within the limit."""
    print(f"$ {' '.join(command)}", flush=True)
    # Its own session, so that a step that hangs is ended together with the nodes and databases that it started.
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(timeout=STEP_LIMIT_S) == 0
    except subprocess.TimeoutExpired:
        print(f"ended after {STEP_LIMIT_S} s", flush=True)
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_step(step: str) -> Outcome:
    """All commands of a step, each run whatever the others do."""
    print(f"[{step}] ...", flush=True)
    started = time.monotonic()
    failed = [" ".join(command) for command in STEPS[step] if not run_command(command)]
    outcome = Outcome(step, failed, time.monotonic() - started)
    print(f"[{step}] {'FAILED' if failed else 'ok'} in {outcome.seconds:.0f} s\n", flush=True)
    return outcome


def summary(outcomes: list[Outcome]) -> str:
    """A line for each step, with the commands that failed below it."""
    lines = ["step         result  seconds"]
    for outcome in outcomes:
        lines.append(f"{outcome.step:<12} {'FAILED' if outcome.failed else 'ok':<7} {outcome.seconds:7.0f}")
        lines += [f"    {command}" for command in outcome.failed]
    return "\n".join(lines)


def main(steps: list[str]) -> int:
    """Exit status 0 if all passed, 1 if one failed, 2 for an unknown step."""
    unknown = [step for step in steps if step not in STEPS]
    if unknown or not steps:
        print(f"unknown: {unknown}; known: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    outcomes = [run_step(step) for step in steps]
    print(summary(outcomes))
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
