"""Who signed, whether it is enough, and what the contract is told."""

from __future__ import annotations

import pytest
from aligned_native import bls_secret_from_seed
from hypothesis import given
from hypothesis import strategies as st

from aligned.core import bls
from aligned.core.errors import InvariantError
from aligned.core.quorum import Operator, build_quorum, reached, signed_stake

DIGEST = b"\x05" * 32
SECRETS = [bls.SecretKey(bls_secret_from_seed(bytes([number]) * 32)) for number in range(4)]


def _operator(number: int) -> Operator:
    g1, g2 = SECRETS[number].public_keys()
    return Operator(bytes([number]) * 20, bls.operator_id(g1), 10 + number, 100 + number, g1, g2)


OPERATORS = [_operator(number) for number in range(4)]


def _signatures(*numbers: int) -> dict[bytes, bls.G1]:
    return {OPERATORS[number].operator_id: SECRETS[number].sign(DIGEST) for number in numbers}


@pytest.mark.parametrize(
    ("signed", "total", "threshold_bps", "expected"),
    [
        (67, 100, 6_700, True),
        (66, 100, 6_700, False),
        (100, 100, 10_000, True),
        (99, 100, 10_000, False),
        (0, 0, 6_700, False),
        (0, 100, 0, False),
        (1, 3, 3_333, True),
        (1, 3, 3_334, False),
        (2**95, 2**96, 5_001, False),
    ],
)
def test_reached__around_the_threshold__is_exact(
    signed: int, total: int, threshold_bps: int, expected: bool
) -> None:
    assert reached(signed, total, threshold_bps) is expected


@given(st.sets(st.integers(0, 3), min_size=1))
def test_build_quorum__any_signers__aggregate_verifies_under_their_key(numbers: set[int]) -> None:
    quorum = build_quorum(OPERATORS, _signatures(*numbers), DIGEST, 3)
    assert bls.verify(quorum.signers_key_g2, DIGEST, quorum.signature)
    assert quorum.aggregate_key == bls.aggregate_g1([op.g1 for op in OPERATORS])
    assert signed_stake(OPERATORS, _signatures(*numbers)) == sum(10 + number for number in numbers)


@given(st.sets(st.integers(0, 3), min_size=1), st.permutations(range(4)))
def test_build_quorum__operators_in_any_order__non_signers_ascend_by_id(
    numbers: set[int], order: list[int]
) -> None:
    quorum = build_quorum([OPERATORS[i] for i in order], _signatures(*numbers), DIGEST, 3)
    ids = [bls.operator_id(key) for key, _ in quorum.non_signers]
    assert ids == sorted(ids)
    assert {index - 100 for _, index in quorum.non_signers} == set(range(4)) - numbers


def test_build_quorum__nobody_signed__is_refused() -> None:
    with pytest.raises(InvariantError):
        build_quorum(OPERATORS, {}, DIGEST, 0)


def test_build_quorum__signature_of_a_stranger__is_refused() -> None:
    with pytest.raises(InvariantError):
        build_quorum(OPERATORS[:2], _signatures(0, 3), DIGEST, 0)


def test_abi__quorum__has_the_structs_shape() -> None:
    snapshot, aggregate, key, signature, witness, non_signers = build_quorum(
        OPERATORS, _signatures(0, 1, 2), DIGEST, 9
    ).abi()
    assert snapshot == 9
    assert aggregate == bls.g1_words(bls.aggregate_g1([op.g1 for op in OPERATORS]))
    assert bls.g2_bytes(key) == bls.aggregate_g2([op.g2 for op in OPERATORS[:3]])  # type: ignore[arg-type]
    assert signature == bls.g1_words(bls.aggregate_g1(list(_signatures(0, 1, 2).values())))
    hashed = bls.hash_witness(DIGEST)
    assert witness == (hashed.root, list(hashed.skips))
    assert non_signers == [(bls.g1_words(OPERATORS[3].g1), 103)]
