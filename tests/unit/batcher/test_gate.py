"""Counts of sockets and waiting bytes."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from aligned.batcher.gate import Gate, GateLimits
from aligned.clients import Client
from aligned.core.errors import AlignedError

A, B, C = Client("a"), Client("b"), Client("c")


def enter(gate: Gate, stack: ExitStack, client: Client | None) -> str:
    try:
        stack.enter_context(gate.socket(client))
    except AlignedError as error:
        return error.code
    return "in"


def test_sockets__more_than_one_client_or_all_may_have__refused_until_one_leaves() -> None:
    gate = Gate(GateLimits(sockets=3, client_sockets=2, buffered_bytes=1, client_bytes=1))
    with ExitStack() as later:
        with ExitStack() as stack:
            tries = [enter(gate, stack, client) for client in (A, A, A, B, C)]
            assert tries == ["in", "in", "rate_limited", "in", "server_busy"]
        assert [enter(gate, later, client) for client in (C, A)] == ["in", "in"]


def test_sockets__of_a_proxy_that_named_nobody_yet__count_for_all_only() -> None:
    gate = Gate(GateLimits(sockets=3, client_sockets=1, buffered_bytes=1, client_bytes=1))
    with ExitStack() as stack:
        assert [enter(gate, stack, None) for _ in range(4)] == ["in", "in", "in", "server_busy"]


def test_sockets__of_many_addresses_of_one_ipv6_site__share_a_bound() -> None:
    gate = Gate(GateLimits(sockets=99, client_sockets=2, buffered_bytes=1, client_bytes=1))
    site = [Client(f"2001:db8:0:{i}::/64", ("2001:db8::/56", "2001:db8::/48")) for i in range(9)]
    with ExitStack() as stack:
        assert [enter(gate, stack, client) for client in site].count("in") == 4


def test_hold__bytes_of_one_address_and_of_all__bounded() -> None:
    gate = Gate(GateLimits(sockets=9, client_sockets=9, buffered_bytes=15, client_bytes=10))
    assert gate.hold(A, 10)
    assert not gate.hold(A, 1)
    assert gate.hold(A, -1)
    assert gate.hold(B, 5)
    assert not gate.hold(B, 1)
    assert gate.hold(A, -5)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50))))
def test_hold__all_given_back__as_new(steps: list[tuple[str, int]]) -> None:
    gate = Gate(GateLimits(9, 9, 100, 60))
    for ip, size_bytes in steps:
        gate.hold(Client(ip), size_bytes)
    for ip, size_bytes in steps:
        gate.hold(Client(ip), -size_bytes)
    assert gate.hold(A, 60)
    assert gate.hold(B, 40)
    assert not gate.hold(C, 1)
