"""Included, verified, final: what the contract says at the head and below it, not what the batcher says."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aligned.chain.client import ChainClient
from aligned.chain.contracts import BatchStatus, ServiceManager
from aligned.chain.contracts.service_manager import BatchState
from aligned.core.types import InclusionProof
from aligned.sdk.depth import DepthReader, Until, patience_s
from aligned.sdk.models import Inclusion, State, Submission

ROOT, SENDER = b"\x05" * 32, b"\x06" * 20


class Chain:
    """A task in block 10 that was answered in block `answered`."""

    def __init__(self, head: int, answered: int | None, status: BatchStatus = BatchStatus.VERIFIED) -> None:
        self.head, self.answered, self.status = head, answered, status

    async def block_number(self) -> int:
        return self.head

    async def batch_status(self, root: bytes, sender: bytes, block: int | str = "latest") -> BatchStatus:
        assert (root, sender) == (ROOT, SENDER)
        at = self.head if isinstance(block, str) else block
        return self.status if self.answered is not None and self.answered <= at else BatchStatus.PENDING

    async def batches_state(self, _batch_id: bytes) -> BatchState:
        return BatchState(10, self.answered is not None, 1)


def reader(chain: Chain) -> DepthReader:
    return DepthReader(cast("ChainClient", chain), cast("ServiceManager", chain), 64)


def inclusion() -> Inclusion:
    proof = InclusionProof(ROOT, b"", 0)
    return Inclusion(bytes(32), State.INCLUDED, proof, SENDER, None, None, 7)


@pytest.mark.parametrize(
    ("until", "head", "answered", "reached"),
    [
        ("included", 20, None, True),
        ("posted", 20, None, True),
        ("verified", 20, None, False),
        ("verified", 20, 20, True),
        ("final", 20, 20, False),
        ("final", 83, 20, False),
        ("final", 84, 20, True),
    ],
)
async def test_reached__head_and_answer__as_the_chain_has_it(
    until: Until, head: int, answered: int | None, reached: bool
) -> None:
    found = await reader(Chain(head, answered)).reached(inclusion(), until)
    assert (found is not None) is reached


@pytest.mark.parametrize("status", [BatchStatus.REVOKED, BatchStatus.EXPIRED, BatchStatus.UNKNOWN])
async def test_reached__final_once_but_not_any_more__not_believed(status: BatchStatus) -> None:
    assert await reader(Chain(200, 20, status)).reached(inclusion(), "final") is None


async def test_reached__verified__says_state_and_confirmations_of_the_chain() -> None:
    found = await reader(Chain(84, 20)).reached(inclusion(), "final")
    assert found is not None
    assert (found.state, found.confirmations) == (State.FINAL, 75)


def test_patience__not_given__longer_for_final() -> None:
    assert [patience_s(until, None) for until in ("verified", "final")] == [600.0, 1_800.0]
    assert patience_s("final", 5.0) == 5.0


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"state": "posted"}, State.INCLUDED),
        ({"state": "posted", "depth": None}, State.INCLUDED),
        ({"state": "posted", "depth": "included"}, State.INCLUDED),
        ({"state": "verified", "depth": "verified"}, State.VERIFIED),
        ({"state": "verified", "depth": "final"}, State.FINAL),
        ({"state": "failed", "depth": None}, State.FAILED),
    ],
)
def test_state__batchers_of_any_age__read(row: dict[str, Any], state: State) -> None:
    assert State(row.get("depth") or row["state"]) is state
    assert State.POSTED is State.INCLUDED


def test_submission__older_shape__has_no_confirmations() -> None:
    row = Submission(SENDER, 0, State.QUEUED, 0, 1, b"", None, None, None, None, None)
    assert row.confirmations is None
