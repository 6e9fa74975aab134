"""Counts of sockets and waiting bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aligned.batcher.gate import Gate, GateLimits


def test_enter__more_than_one_address_or_all_may_have__refused_until_one_leaves() -> None:
    gate = Gate(GateLimits(sockets=3, ip_sockets=2, buffered_bytes=1, ip_bytes=1))
    assert [gate.enter(ip) for ip in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    gate.leave("a")
    assert [gate.enter(ip) for ip in ("c", "a")] == [True, False]


def test_hold__bytes_of_one_address_and_of_all__bounded() -> None:
    gate = Gate(GateLimits(sockets=9, ip_sockets=9, buffered_bytes=15, ip_bytes=10))
    assert gate.hold("a", 10)
    assert not gate.hold("a", 1)
    assert gate.hold("a", -1)
    assert gate.hold("b", 5)
    assert not gate.hold("b", 1)
    assert gate.hold("a", -5)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50))))
def test_hold__all_given_back__as_new(steps: list[tuple[str, int]]) -> None:
    gate = Gate(GateLimits(9, 9, 100, 60))
    for ip, size_bytes in steps:
        gate.hold(ip, size_bytes)
    for ip, size_bytes in steps:
        gate.hold(ip, -size_bytes)
    assert gate.hold("a", 60)
    assert gate.hold("b", 40)
    assert not gate.hold("c", 1)
