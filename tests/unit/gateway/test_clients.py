"""Who a client is: its own address, or the one that a trusted proxy names."""

from __future__ import annotations

import ipaddress

import pytest
from starlette.requests import HTTPConnection

from aligned.gateway.clients import ClientNames

NETWORKS = ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8")
NAMES = ClientNames([ipaddress.ip_network(each) for each in NETWORKS])
TRUSTING_NOBODY = ClientNames([])
CLIENT = "203.0.113.9"


def request(peer: str | None, *forwarded: str) -> HTTPConnection:
    """A request from `peer` with these lines of X-Forwarded-For."""
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return HTTPConnection({"type": "http", "headers": headers, "client": peer and (peer, 1)})


@pytest.mark.parametrize(
    ("peer", "forwarded", "name"),
    [
        (CLIENT, (), CLIENT),
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", (CLIENT,), CLIENT),
        ("::ffff:10.1.2.3", (CLIENT,), CLIENT),
        ("fd00::1", (CLIENT,), CLIENT),
        ("10.1.2.3", (f"{CLIENT}, 10.9.9.9",), CLIENT),
        ("10.1.2.3", (CLIENT, "10.9.9.9"), CLIENT),
        ("10.1.2.3", ("10.8.8.8",), "10.8.8.8"),
    ],
)
def test_name__through_trusted_proxies__is_the_last_one_that_is_no_proxy(
    peer: str, forwarded: tuple[str, ...], name: str
) -> None:
    assert NAMES.of(request(peer, *forwarded)) == name


@pytest.mark.parametrize(
    ("peer", "forwarded", "name"),
    [
        (CLIENT, ("192.0.2.1",), CLIENT),
        ("10.1.2.3", (f"192.0.2.1, {CLIENT}",), CLIENT),
        ("10.1.2.3", ("192.0.2.1", CLIENT), CLIENT),
        ("10.1.2.3", (f"{CLIENT}, unknown",), "10.1.2.3"),
        ("10.1.2.3", ("",), "10.1.2.3"),
        ("10.1.2.3", (f"{CLIENT}, 10.0.0.1:80, 10.0.0.2",), "10.0.0.2"),
    ],
)
def test_name__invented_by_the_client__not_believed(peer: str, forwarded: tuple[str, ...], name: str) -> None:
    assert NAMES.of(request(peer, *forwarded)) == name


def test_name__no_proxy_is_trusted__header_is_nothing() -> None:
    assert TRUSTING_NOBODY.of(request("10.1.2.3", CLIENT)) == "10.1.2.3"


def test_name__addresses_of_one_ipv6_subscriber__is_one() -> None:
    names = {NAMES.of(request(f"2001:db8:0:1::{host}")) for host in ("1", "ffff", "1:2:3")}
    assert names == {"2001:db8:0:1::/64"}
    assert NAMES.of(request("2001:db8:0:2::1")) not in names
    assert NAMES.of(request("10.1.2.3", "2001:db8:0:1::77")) in names


def test_name__ipv4_within_ipv6__is_that_of_the_ipv4_address() -> None:
    assert NAMES.of(request(f"::ffff:{CLIENT}")) == CLIENT


def test_name__no_peer__is_one_for_all() -> None:
    assert NAMES.of(request(None)) == NAMES.of(request("not an address", CLIENT))
