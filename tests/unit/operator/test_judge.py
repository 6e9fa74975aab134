"""The first failing leaf does not depend on timing."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.core.errors import (
    INTERNAL_ERROR,
    INVALID_PROOF,
    VERIFIER_CRASHED,
    VERIFIER_TIMEOUT,
    DependencyError,
)
from aligned.core.types import ProvingSystem, VerificationData
from aligned.operator.judge import VerdictInDoubt, first_invalid, judge_batch
from aligned.storage.batch_files import Batch, leaf_of
from aligned.verifiers.base import Verdict, refused, valid

SP1, RISC0, GNARK = ProvingSystem.SP1, ProvingSystem.RISC0, ProvingSystem.GROTH16_BN254
SUPPORTED = frozenset({SP1, RISC0})


class Scripted:
    """Verdicts by proof; `turns` yields that often to other proofs before it answers."""

    def __init__(self, verdicts: dict[bytes, list[Verdict]], turns: dict[bytes, int] | None = None) -> None:
        self._verdicts = verdicts
        self._turns = turns or {}
        self.seen: list[bytes] = []

    async def verify(self, data: VerificationData) -> Verdict:
        self.seen.append(data.proof)
        for _ in range(self._turns.get(data.proof, 0)):
            await asyncio.sleep(0)
        queue = self._verdicts.get(data.proof)
        return queue.pop(0) if queue else valid()


def _proof(number: int, system: ProvingSystem = SP1) -> VerificationData:
    return VerificationData(system, bytes([number]), None, None, None, bytes(20))


def _batch(*systems: ProvingSystem) -> Batch:
    proofs = [_proof(number, system) for number, system in enumerate(systems)]
    return Batch(proofs, [leaf_of(proof) for proof in proofs])


@given(
    count=st.integers(1, 30),
    failing=st.sets(st.integers(0, 29)),
    turns=st.lists(st.integers(0, 20), min_size=30, max_size=30),
    parallel=st.integers(1, 8),
)
async def test_first_invalid__any_timing__is_the_lowest_index(
    count: int, failing: set[int], turns: list[int], parallel: int
) -> None:
    wrong = {bytes([number]): [refused(INVALID_PROOF, "")] for number in failing}
    verifier = Scripted(wrong, {bytes([number]): turns[number] for number in range(30)})
    found = await first_invalid([_proof(number) for number in range(count)], verifier, parallel)
    expected = min((number for number in failing if number < count), default=None)
    assert (None if found is None else found[0]) == expected


async def test_first_invalid__after_a_failure__nothing_behind_it_starts() -> None:
    verifier = Scripted({bytes([1]): [refused(INVALID_PROOF, "")]})
    await first_invalid([_proof(number) for number in range(50)], verifier, 1)
    assert verifier.seen == [b"\0", b"\1"]


async def test_judge_batch__verifier_timed_out_once__asks_again() -> None:
    verifier = Scripted({b"\0": [refused(VERIFIER_TIMEOUT, "busy machine")]})
    assert await judge_batch(_batch(SP1), verifier, SUPPORTED, 0, 1) is None
    assert verifier.seen == [b"\0", b"\0"]


@pytest.mark.parametrize("code", [VERIFIER_CRASHED, VERIFIER_TIMEOUT, INTERNAL_ERROR])
async def test_judge_batch__verifier_fails_twice__in_doubt_and_retryable(code: str) -> None:
    verifier = Scripted({b"\0": [refused(code, "1"), refused(code, "2")]})
    with pytest.raises(VerdictInDoubt) as caught:
        await judge_batch(_batch(SP1), verifier, SUPPORTED, 0, 1)
    assert caught.value.retryable
    assert (caught.value.refusal.leaf_index, caught.value.refusal.reason) == (0, code)


async def test_judge_batch__pool_is_full__is_one_retryable_error() -> None:
    class Full:
        async def verify(self, data: VerificationData) -> Verdict:
            raise DependencyError("server_busy", "full")

    with pytest.raises(DependencyError, match="server_busy"):
        await judge_batch(_batch(SP1, SP1, SP1), Full(), SUPPORTED, 0, 3)


async def test_judge_batch__unsupported_system__is_refused_at_its_leaf() -> None:
    batch = _batch(SP1, RISC0, GNARK, SP1)
    verifier = Scripted({})
    refusal = await judge_batch(batch, verifier, SUPPORTED, 0, 2)
    assert refusal is not None
    assert (refusal.leaf_index, refusal.leaf, refusal.reason) == (2, batch.leaves[2], "unsupported_system")
    assert verifier.seen == [b"\0", b"\1"]


async def test_judge_batch__disabled_system_behind_a_wrong_proof__names_the_wrong_proof() -> None:
    verifier = Scripted({b"\0": [refused(INVALID_PROOF, "")]})
    refusal = await judge_batch(_batch(SP1, RISC0), verifier, SUPPORTED, 1 << RISC0, 2)
    assert refusal is not None
    assert (refusal.leaf_index, refusal.reason) == (0, INVALID_PROOF)


async def test_judge_batch__disabled_system__only_its_own_bit_counts() -> None:
    everything_else = ~(1 << SP1) & (2**256 - 1)
    assert await judge_batch(_batch(SP1), Scripted({}), SUPPORTED, everything_else, 1) is None
    refusal = await judge_batch(_batch(SP1), Scripted({}), SUPPORTED, 1 << SP1, 1)
    assert refusal is not None
    assert refusal.reason == "verifier_disabled"
