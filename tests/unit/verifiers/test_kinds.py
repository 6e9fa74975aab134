"""Kinds of proofs that are not aggregated, by their first bytes."""

from __future__ import annotations

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.verifiers.kinds import unaggregated_kind


@pytest.mark.parametrize("system", AggregationSystem)
@pytest.mark.parametrize("head", [b"", b"\0", b"\0\0\0", b"\2", b"\2\0\0"])
def test_kind__fewer_bytes_than_a_tag__has_none(system: AggregationSystem, head: bytes) -> None:
    """An empty file is no Core proof."""
    assert unaggregated_kind(system, head) is None


def test_kind__tag_of_a_kind_that_recursion_does_not_take__named() -> None:
    assert unaggregated_kind(AggregationSystem.SP1, bytes(4)) == "Core"
    assert unaggregated_kind(AggregationSystem.RISC0, b"\2\0\0\0") == "Groth16"
    assert unaggregated_kind(AggregationSystem.SP1, b"\1\0\0\0") is None
