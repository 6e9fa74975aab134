"""Verifiers of a third party, plugged in as an installed distribution would be."""

from __future__ import annotations

from pathlib import Path

import pytest

_MODULE = """
import os, sys, time
from aligned.core.types import ProvingSystem
from aligned.verifiers.base import refused, valid


class Plugin:
    max_proof_bytes = 1024

    def __init__(self, system, name, act):
        self.system, self.name, self._act = ProvingSystem(system), name, act

    def verify(self, data):
        return self._act(data.proof)


class Roomy(Plugin):
    max_proof_bytes = 10_000_000


def hang(proof):
    while True:
        time.sleep(60)


def hoard(proof):
    hoard.kept = [bytearray(64 * 1024 * 1024) for _ in range(1_000)]


def shout(proof):
    print("x" * 100_000, flush=True)
    os.write(1, b"garbage")
    return valid()


def check(proof):
    return valid() if proof == b"good" else refused("invalid_proof", "not good")


def pause(proof):
    time.sleep(0.2)
    return valid()


def environment(proof):
    return refused("invalid_proof", ",".join(sorted(os.environ)))


def factory(system, name, act):
    return lambda: Plugin(system, name, act)


make_hang = factory(200, "hang", hang)
make_kill = factory(201, "kill", lambda proof: os.kill(os.getpid(), 9))
make_exit = factory(202, "exit", lambda proof: os._exit(3))
make_hoard = factory(203, "hoard", hoard)
make_check = factory(204, "check", check)
make_fail = factory(205, "fail", lambda proof: 1 // 0)
make_shout = factory(206, "shout", shout)
make_pause = factory(207, "pause", pause)
make_environment = factory(208, "environment", environment)
make_roomy = lambda: Roomy(209, "roomy", check)
make_taken = factory(3, "taken", check)
"""
_NAMES = ("hang", "kill", "exit", "hoard", "check", "fail", "shout", "pause", "environment", "roomy")


def install(folder: Path, *names: str) -> None:
    """Writes a distribution with the entry points `names`."""
    info = folder / "third_party_verifiers-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "third_party_verifiers.py").write_text(_MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party-verifiers\nVersion: 1.0\n")
    lines = [f"{name} = third_party_verifiers:make_{name}" for name in names]
    (info / "entry_points.txt").write_text("\n".join(["[aligned.verifiers]", *lines, ""]))


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, for the worker processes only."""
    install(tmp_path / "site", *_NAMES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
