"""Fork tests need a mainnet to fork: a real RPC where one is configured, else a stand-in on this machine.

Ape reads the upstream from WEB3_PROVIDER_URI or APE_NODE_ETHEREUM. With neither set it would take some public node.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fork.standin import MainnetStandin

# Ape looks for anvil on PATH; set-up links it beside this interpreter, which need not be an activated environment's.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

_UPSTREAMS = ("WEB3_PROVIDER_URI", "APE_NODE_ETHEREUM")
_STANDIN: pytest.StashKey[MainnetStandin] = pytest.StashKey()


def _is_fork(config: pytest.Config) -> bool:
    return "-fork" in str(config.getoption("network", default=None) or "")


def pytest_configure(config: pytest.Config) -> None:
    """Starts the stand-in before Ape connects."""
    if not _is_fork(config) or any(os.environ.get(name) for name in _UPSTREAMS):
        return
    # Here, because every other kind of test does without it and without what it imports.
    from tests.fork.standin import MainnetStandin

    standin = MainnetStandin()
    config.stash[_STANDIN] = standin
    standin.start()
    os.environ["WEB3_PROVIDER_URI"] = standin.url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the stand-in."""
    standin = config.stash.get(_STANDIN, None)
    if standin is not None:
        os.environ.pop("WEB3_PROVIDER_URI", None)
        standin.stop()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Says what is forked."""
    if not _is_fork(config):
        return None
    standin = config.stash.get(_STANDIN, None)
    if standin is None:
        name = next(name for name in _UPSTREAMS if os.environ.get(name))
        return f"fork upstream: the RPC that {name} names"
    return f"fork upstream: local stand-in for mainnet (chain id 1, block {standin.block}); no real state"
