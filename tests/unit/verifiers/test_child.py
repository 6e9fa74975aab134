"""What is said about a worker that ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aligned.verifiers.child import Child


@pytest.mark.parametrize(
    ("status", "text"),
    [(-9, "by SIGKILL"), (-40, "by signal 40"), (3, "with status 3"), (71, "ran out of memory")],
)
def test_cause__any_end_of_a_worker__is_named(status: int, text: str) -> None:
    process: Any = SimpleNamespace(returncode=status)
    assert Child(process)._cause().endswith(text)
