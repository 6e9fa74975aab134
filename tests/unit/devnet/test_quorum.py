"""The operators of a devnet that can verify a batch, and those that cannot."""

from __future__ import annotations

import pytest

from aligned.devnet.quorum import quorum_problem


@pytest.mark.parametrize(
    ("registered", "running", "min_signers", "threshold_bps"),
    [(4, 3, 2, 6_700), (4, 4, 4, 10_000), (3, 2, 2, 6_666), (100, 67, 2, 6_700)],
)
def test_quorum__reached__nothing_to_say(
    registered: int, running: int, min_signers: int, threshold_bps: int
) -> None:
    assert quorum_problem(registered, running, min_signers, threshold_bps) is None


@pytest.mark.parametrize(
    ("registered", "running", "text"),
    [(4, 2, "50.0 %"), (3, 2, "66.7 %"), (100, 66, "66.0 %"), (4, 1, "wants 2 signers"), (4, 0, "0 of 4")],
)
def test_quorum__not_reached__says_why(registered: int, running: int, text: str) -> None:
    problem = quorum_problem(registered, running, 2, 6_700)
    assert problem is not None
    assert text in problem
