"""Verifies a batch in parallel and finds its first failing leaf: every honest operator names the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from typing import Final, Protocol

from aligned.core.errors import (
    INTERNAL_ERROR,
    UNSUPPORTED_SYSTEM,
    VERIFIER_CRASHED,
    VERIFIER_DISABLED,
    VERIFIER_TIMEOUT,
    DependencyError,
)
from aligned.core.types import VerificationData
from aligned.storage.batch_files import Batch, Refusal
from aligned.verifiers.base import Verdict

# Verdicts that may be the machine's fault: asked twice, then left for later; only the last chance makes them count.
_DOUBTFUL: Final = frozenset({VERIFIER_TIMEOUT, VERIFIER_CRASHED, INTERNAL_ERROR})


class VerdictInDoubt(DependencyError):
    """The first failing proof may have failed because of this machine; a later look may say otherwise.

    Attributes:
        refusal: what to say when there will be no later look.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason, f"leaf {refusal.leaf_index}: {refusal.detail}"[:500])
        self.refusal = refusal


class Verifier(Protocol):
    """What is needed of `VerifierPool`."""

    async def verify(self, data: VerificationData) -> Verdict:
        """Verdict on one proof."""
        ...


async def judge_batch(
    batch: Batch, verifier: Verifier, supported: Container[int], disabled_bitmap: int, parallel: int
) -> Refusal | None:
    """None when every proof is valid.

    Args:
        supported: ids of the proving systems that this operator can verify.
        disabled_bitmap: bit i set = system i is off at the task's block.
        parallel: how many proofs are on their way at a time.

    Raises:
        VerdictInDoubt: the first proof that failed may be valid.
        DependencyError: the verifier takes no more work.
    """
    barred = _first_barred(batch, supported, disabled_bitmap)
    # What comes after a leaf that fails anyway need not be verified.
    count = len(batch.proofs) if barred is None else barred.leaf_index
    failure = await first_invalid(batch.proofs[:count], verifier, parallel)
    if failure is None:
        return barred
    index, verdict = failure
    refusal = Refusal(index, batch.leaves[index], verdict.code, verdict.reason)
    if verdict.code in _DOUBTFUL:
        raise VerdictInDoubt(refusal)
    return refusal


async def first_invalid(
    proofs: Sequence[VerificationData], verifier: Verifier, parallel: int
) -> tuple[int, Verdict] | None:
    """Lowest index of an invalid proof and its verdict.

    Proofs start in order. After a failure none behind it starts, all before it are finished, so the answer does not
    depend on timing.
    """
    first: tuple[int, Verdict] | None = None
    indices = iter(range(len(proofs)))

    async def work() -> None:
        nonlocal first
        for index in indices:
            if first is not None and index > first[0]:
                return
            verdict = await _verify(verifier, proofs[index])
            if not verdict.valid and (first is None or index < first[0]):
                first = (index, verdict)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(parallel, len(proofs))):
                group.create_task(work())
    except* DependencyError as errors:
        failure = errors.exceptions[0]
    else:
        return first
    # Alone, so that it is seen as what it is: a pool that is full or stops.
    raise failure


async def _verify(verifier: Verifier, data: VerificationData) -> Verdict:
    verdict = await verifier.verify(data)
    if not verdict.valid and verdict.code in _DOUBTFUL:
        verdict = await verifier.verify(data)
    return verdict


def _first_barred(batch: Batch, supported: Container[int], disabled_bitmap: int) -> Refusal | None:
    for index, proof in enumerate(batch.proofs):
        system = proof.proving_system
        if disabled_bitmap >> system & 1:
            return Refusal(index, batch.leaves[index], VERIFIER_DISABLED, system.wire_name)
        if system not in supported:
            return Refusal(index, batch.leaves[index], UNSUPPORTED_SYSTEM, system.wire_name)
    return None
