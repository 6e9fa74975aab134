"""The steps of `make test` and the check of prerequisites tell the truth."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import check as module

    return module


def test_check__unknown_step__is_a_usage_error(check: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    assert check.main(["lint", "no-such-step"]) == 2
    assert "no-such-step" in capfd.readouterr().err


def test_check__one_command_fails__others_run_and_status_is_1(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    after = ["touch", str(tmp_path / "ran")]
    monkeypatch.setattr(check, "STEPS", {"bad": [["false"], after], "good": [["true"]]})
    assert check.main(["bad", "good"]) == 1
    assert (tmp_path / "ran").exists()
    table = capfd.readouterr().out.split("seconds\n")[1].splitlines()
    assert [line.split()[:2] for line in table] == [["bad", "FAILED"], ["false"], ["good", "ok"]]


def test_check__all_pass__status_is_0(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "STEPS", {"good": [["true"]]})
    assert check.main(["good"]) == 0


def test_check__command_hangs__it_and_its_children_are_ended(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(check, "STEP_LIMIT_S", 3)
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    monkeypatch.setattr(check, "STEPS", {"slow": [["sh", "-c", script]]})
    assert check.main(["slow"]) == 1
    assert has_ended(int((tmp_path / "pid").read_text()))


def has_ended(pid: int) -> bool:
    """Gone or a zombie, within ten seconds: the signal has been sent, delivery may lag on a busy machine."""
    state = Path(f"/proc/{pid}/stat")
    for _ in range(200):
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def prerequisites(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the check with stand-ins for the named programs, each printing one line as its version."""

    def run(**versions: str) -> subprocess.CompletedProcess[str]:
        for name, line in versions.items():
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\n[ $# -eq 1 ] || exit 0\necho '{line}'\n")
            program.chmod(0o755)
        environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}/usr/bin:/bin", "PYTHON": "python3"}
        return subprocess.run(
            [ROOT / "tools" / "check_prerequisites.sh"],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )

    return run


GOOD = {
    "python3": "Python 3.11.7",
    "node": "v20.1.0",
    "npm": "10.2.0",
    "rustc": "rustc 1.91.0 (abc 2025-01-01)",
    "cargo": "cargo 1.91.0 (abc 2025-01-01)",
    "cc": "cc 12.0",
}


def test_prerequisites__all_new_enough__python_is_named(
    prerequisites: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    result = prerequisites(**GOOD)
    assert (result.returncode, result.stdout.strip()) == (0, str(tmp_path / "python3"))


@pytest.mark.parametrize(
    ("program", "version", "message"),
    [
        ("rustc", "rustc 1.90.1 (abc 2025-01-01)", "Rust: found 1.90, expected >= 1.91"),
        ("node", "v9.20.0", "Node: found 9.20, expected >= 20.0"),
        ("python3", "Python 3.9.18", "Python: found 3.9, expected >= 3.11"),
        ("rustc", "", "Rust: not found, expected >= 1.91"),
    ],
)
def test_prerequisites__one_too_old_or_missing__found_and_expected_are_named(
    prerequisites: Callable[..., subprocess.CompletedProcess[str]], program: str, version: str, message: str
) -> None:
    result = prerequisites(**GOOD | {program: version})
    assert (result.returncode, result.stdout) == (1, "")
    assert message in result.stderr
