"""The tool that repeats the demo: it must see every failure, also of a run that leaves no report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools import repeat_demo

_WRITE = "import sys, pathlib; home = pathlib.Path(sys.argv[-1]); home.mkdir(parents=True, exist_ok=True); "


def program(report: object, status: int = 0) -> list[str]:
    """A stand-in for the demo that leaves this report."""
    text = json.dumps(report)
    code = f"{_WRITE}(home / 'report.json').write_text({text!r}); sys.exit({status})"
    return [sys.executable, "-c", code]


def run(command: list[str], home: Path) -> repeat_demo.Run:
    return repeat_demo.run_demo(1, home, command, 60.0)


def test_run__report_says_ok_and_status_0__held(tmp_path: Path) -> None:
    assert run(program({"ok": True, "errors": []}), tmp_path / "1").has_held


def test_run__errors_in_the_report__failed_with_each_of_them(tmp_path: Path) -> None:
    error = {"where": "risc0: example contract", "code": "nonce_taken", "reason": "another program"}
    found = run(program({"ok": False, "errors": [error]}, 1), tmp_path / "1")
    assert not found.has_held
    assert found.problems == ["risc0: example contract: nonce_taken: another program"]
    assert "nonce_taken" in repeat_demo.table([found])
    assert repeat_demo.table([found]).endswith("0 of 1 held")


def test_run__not_ok_without_an_error__failed(tmp_path: Path) -> None:
    assert not run(program({"ok": False, "errors": []}, 1), tmp_path / "1").has_held


def test_run__killed_without_a_report__failed(tmp_path: Path) -> None:
    found = run([sys.executable, "-c", "import sys; sys.exit(137)"], tmp_path / "1")
    assert not found.has_held
    assert found.problems == ["no report"]


def test_run__takes_too_long__ended_and_failed(tmp_path: Path) -> None:
    endless = [sys.executable, "-c", "while True: pass"]
    found = repeat_demo.run_demo(1, tmp_path / "1", endless, 0.2)
    assert not found.has_held
    assert found.status == 124


def test_busy__end_of_the_block__no_loop_left() -> None:
    with repeat_demo.busy(2) as loops:
        assert [loop.poll() for loop in loops] == [None, None]
    assert None not in [loop.poll() for loop in loops]
