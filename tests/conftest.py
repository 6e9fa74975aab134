"""Rules for every test: its folder is its kind, and unit tests touch neither network nor warnings."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

KINDS = ("unit", "parity", "contracts", "integration", "faults", "e2e", "fork")
PURE_KINDS = ("unit", "parity")
TESTS = Path(__file__).resolve().parent

# No deadline: the machine's load must not decide whether a test passes. `derandomize` makes every run the same run.
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "intense",
    max_examples=5_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def kind_of(path: Path) -> str:
    """The kind of a test file: the folder directly below tests/.

    Raises:
        pytest.UsageError: the file is in none of the known folders.
    """
    parts = path.resolve().relative_to(TESTS).parts
    if len(parts) < 2 or parts[0] not in KINDS:
        raise pytest.UsageError(
            f"{path}: expected below one of {', '.join(f'tests/{kind}' for kind in KINDS)}"
        )
    return parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test with its kind; in pure tests a warning is an error."""
    for item in items:
        kind = kind_of(item.path)
        item.add_marker(getattr(pytest.mark, kind))
        if kind in PURE_KINDS:
            item.add_marker(pytest.mark.filterwarnings("error"))


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests that connect, bind or resolve a name fail there; socketpair (asyncio's own) stays possible."""
    if request.node.get_closest_marker("unit") is None:
        return

    def blocked(*_args: Any, **_keywords: Any) -> NoReturn:
        raise AssertionError("a unit test used the network; move it to tests/integration")

    for method in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, method, blocked)
    monkeypatch.setattr(socket, "getaddrinfo", blocked)
