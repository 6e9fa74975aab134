"""A batch that somebody posts himself: what would cost an operator more than its size is invalid by rule."""

from __future__ import annotations

import json

import pytest

from aligned.core.types import ProvingSystem, VerificationData
from aligned.operator.judge import judge_batch
from aligned.storage.batch_files import Batch, Refusal, leaf_of
from aligned.verifiers.base import Verdict, check_size
from aligned.verifiers.registry import get_verifier
from tests.reference.groth16 import make

CIRCOM = ProvingSystem.CIRCOM_GROTH16_BN256
_TINY = ["1", "2", "1"]


class Here:
    """Verifies as a worker of the pool does."""

    def __init__(self) -> None:
        self.seen = 0

    async def verify(self, data: VerificationData) -> Verdict:
        """Size first, then the proof."""
        self.seen += 1
        verifier = get_verifier(data.proving_system)
        return check_size(verifier, data) or verifier.verify(data)


def leaf(points: int) -> VerificationData:
    """A key of that many tiny points, with an input of zero for each."""
    files = make([1])
    key = json.dumps({**files.key, "IC": [_TINY] * points, "nPublic": points - 1}, separators=(",", ":"))
    inputs = bytes(32) * (points - 1)
    return VerificationData(CIRCOM, json.dumps(files.proof).encode(), inputs, key.encode(), None, bytes(20))


async def judged(proofs: list[VerificationData]) -> tuple[Refusal | None, int]:
    """The refusal, and how many proofs were looked at."""
    verifier = Here()
    batch = Batch(proofs, [leaf_of(proof) for proof in proofs])
    return await judge_batch(batch, verifier, {CIRCOM}, 0, parallel=2), verifier.seen


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (90_001, "proof_too_large"),
        (20_000, "too_many_public_inputs"),
        (4_097, "malformed_key"),
        (50, "malformed_key"),
    ],
)
async def test_judge__keys_made_to_be_slow__first_one_is_refused_and_no_more_are_looked_at(
    points: int, reason: str
) -> None:
    honest = VerificationData(CIRCOM, *make([3]).as_bytes(), None, bytes(20))
    dear = leaf(points)
    refusal, seen = await judged([honest, *[dear] * 20])
    assert refusal is not None
    assert (refusal.leaf_index, refusal.reason) == (1, reason)
    assert seen <= 4
