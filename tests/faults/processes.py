"""Starts roles as processes and waits for them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from aligned.settings import Settings

DEADLINE_S = 60.0
PROJECT = Path(__file__).resolve().parents[2]


def write_settings(settings: Settings, path: Path) -> Path:
    """As a file, secrets included: they are a test's."""
    path.write_text(json.dumps(_plain(settings.model_dump()), default=str))
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@contextmanager
def role_process(role: str, settings: Path, moment: str = "never") -> Iterator[subprocess.Popen[bytes]]:
    """A role; killed at the end of the block if it still runs."""
    with module_process("tests.faults.role", settings, role, str(settings), moment) as process:
        yield process


@contextmanager
def module_process(module: str, settings: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module that logs beside its settings; killed at the end of the block if it still runs."""
    command = [sys.executable, "-m", module, *arguments]
    with settings.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits until `condition` holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not reached: {what}"
        time.sleep(0.05)
