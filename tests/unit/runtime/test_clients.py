"""Who a client is: its own address, or the one that a trusted proxy names, and the networks that it is in."""

from __future__ import annotations

import ipaddress
from contextlib import ExitStack

import pytest
from starlette.requests import HTTPConnection

from aligned.clients import (
    NOT_NAMED,
    PROXY_NOT_TRUSTED,
    UNREADABLE,
    Client,
    ClientNames,
    ClientRates,
    ForwardingHeader,
)
from aligned.core.errors import ProtocolError
from aligned.limits import Shares

NETWORKS = tuple(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8"))
NAMES = ClientNames(NETWORKS)
TRUSTING_NOBODY = ClientNames([])
CLIENT = "203.0.113.9"
PROXY = "10.1.2.3"
SUBSCRIBER = "2001:db8:0:1::/64"


def request(peer: str | None, *lines: str, header: ForwardingHeader = "x-forwarded-for") -> HTTPConnection:
    """A request from `peer` with these lines of the header."""
    headers = [(header.encode(), line.encode()) for line in lines]
    return HTTPConnection({"type": "http", "headers": headers, "client": peer and (peer, 1)})


def forwarded(*lines: str) -> str:
    """The name of a client whose proxy sets Forwarded."""
    return ClientNames(NETWORKS, "forwarded").of(request(PROXY, *lines, header="forwarded")).name


@pytest.mark.parametrize(
    ("peer", "lines", "name"),
    [
        (CLIENT, (), CLIENT),
        (PROXY, (), PROXY),
        (PROXY, (CLIENT,), CLIENT),
        ("::ffff:10.1.2.3", (CLIENT,), CLIENT),
        ("fd00::1", (CLIENT,), CLIENT),
        (PROXY, (f"{CLIENT}, 10.9.9.9",), CLIENT),
        (PROXY, (CLIENT, "10.9.9.9"), CLIENT),
        (PROXY, ("10.8.8.8",), "10.8.8.8"),
    ],
)
def test_name__through_trusted_proxies__is_the_last_one_that_is_no_proxy(
    peer: str, lines: tuple[str, ...], name: str
) -> None:
    assert NAMES.of(request(peer, *lines)).name == name


@pytest.mark.parametrize(
    ("hop", "name"),
    [
        (f"{CLIENT}:5678", CLIENT),
        (f"{CLIENT}:5678, 10.0.0.1:80", CLIENT),
        ("2001:db8:0:1::9", SUBSCRIBER),
        ("[2001:db8:0:1::9]", SUBSCRIBER),
        ("[2001:db8:0:1::9]:5678", SUBSCRIBER),
        ("2001:db8:0:1:0:0:0:9:5678", SUBSCRIBER),
        (f"[::ffff:{CLIENT}]:5678", CLIENT),
        ("2001:db8:0:1::9%eth0", SUBSCRIBER),
    ],
)
def test_name__with_port_or_in_brackets__is_the_address(hop: str, name: str) -> None:
    assert NAMES.of(request(PROXY, hop)).name == name


@pytest.mark.parametrize(
    ("peer", "lines", "name"),
    [
        (CLIENT, ("192.0.2.1",), CLIENT),
        (PROXY, (f"192.0.2.1, {CLIENT}",), CLIENT),
        (PROXY, ("192.0.2.1", CLIENT), CLIENT),
        (PROXY, (f"{CLIENT}, unknown",), PROXY),
        (PROXY, ("",), PROXY),
        (PROXY, (f"{CLIENT}, 10.0.0.1:x, 10.0.0.2",), "10.0.0.2"),
        (PROXY, (f"{CLIENT}, {'1' * 300}",), PROXY),
    ],
)
def test_name__invented_by_the_client__not_believed(peer: str, lines: tuple[str, ...], name: str) -> None:
    assert NAMES.of(request(peer, *lines)).name == name


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ((f"for={CLIENT}",), CLIENT),
        ((f"For={CLIENT};proto=https;by=10.0.0.1",), CLIENT),
        ((f'proto=https; for="{CLIENT}:47011"',), CLIENT),
        (('for="[2001:db8:0:1::9]:4711"',), SUBSCRIBER),
        (("for=[2001:db8:0:1::9]",), SUBSCRIBER),
        ((f"for=192.0.2.1, for={CLIENT}",), CLIENT),
        (("for=192.0.2.1", f"for={CLIENT}", "for=10.7.7.7;by=10.0.0.1"), CLIENT),
        ((r'for="203.0.113.\9"',), CLIENT),
        (("for=_client-7",), f"_client-7 behind {PROXY}"),
    ],
)
def test_forwarded__of_a_trusted_proxy__names_the_client(lines: tuple[str, ...], name: str) -> None:
    assert forwarded(*lines) == name


@pytest.mark.parametrize(
    "lines",
    [
        (f"for={CLIENT}, for=unknown",),
        (f"for={CLIENT}, proto=https",),
        (f'for={CLIENT};host="evil, for=192.0.2.1"',),
        (f'for={CLIENT};host="evil;for=192.0.2.1"',),
        (f"for={CLIENT};for=192.0.2.1",),
        (f"for={CLIENT}, {CLIENT}",),
        ('for="',),
        ("for==;=,",),
    ],
)
def test_forwarded__no_clear_client_in_its_last_element__is_the_proxy(lines: tuple[str, ...]) -> None:
    assert forwarded(*lines) == PROXY


def test_forwarded__quotes_opened_by_the_client__hide_nothing_behind_them() -> None:
    assert forwarded(f'for=192.0.2.1;host="x, for="{CLIENT}:80"') == CLIENT


def test_name__other_header_than_the_proxys__not_looked_at() -> None:
    assert NAMES.of(request(PROXY, f"for={CLIENT}", header="forwarded")).name == PROXY
    by_forwarded = ClientNames(NETWORKS, "forwarded")
    assert by_forwarded.of(request(PROXY, CLIENT)).name == PROXY


def test_name__no_proxy_is_trusted__header_is_nothing() -> None:
    assert TRUSTING_NOBODY.of(request(PROXY, CLIENT)).name == PROXY


@pytest.mark.parametrize(
    ("peer", "lines", "reason"),
    [
        (PROXY, (), NOT_NAMED),
        (PROXY, ("unknown",), UNREADABLE),
        (CLIENT, ("192.0.2.1",), PROXY_NOT_TRUSTED),
    ],
)
def test_name__client_not_told_from_its_proxy__counted_each_time_and_logged_once(
    peer: str, lines: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    counted: list[str] = []
    names = ClientNames(NETWORKS, count=counted.append)
    for _ in range(3):
        names.of(request(peer, *lines))
    assert counted == [reason] * 3
    assert capsys.readouterr().out.count("client_not_named") == 1


def test_name__addresses_of_one_ipv6_subscriber__is_one() -> None:
    names = {NAMES.of(request(f"2001:db8:0:1::{host}")).name for host in ("1", "ffff", "1:2:3")}
    assert names == {SUBSCRIBER}
    assert NAMES.of(request("2001:db8:0:2::1")).name not in names
    assert NAMES.of(request(PROXY, "2001:db8:0:1::77")).name in names


def test_networks__of_an_ipv6_client__are_56_and_48_bits() -> None:
    client = NAMES.of(request("2001:db8:1:234::1"))
    assert client.networks == ("2001:db8:1:200::/56", "2001:db8:1::/48")
    assert NAMES.of(request(CLIENT)).networks == ()


def test_name__ipv4_within_ipv6__is_that_of_the_ipv4_address() -> None:
    assert NAMES.of(request(f"::ffff:{CLIENT}")) == Client(CLIENT)


def test_name__no_peer__is_one_for_all() -> None:
    assert NAMES.of(request(None)) == NAMES.of(request("not an address", CLIENT))


def subscriber(site: int, number: int) -> Client:
    """A /64 within a /56 of 2001:db8:1::/48."""
    return NAMES.of(request(f"2001:db8:1:{site:x}{number:02x}::1"))


def test_shares__all_networks_of_one_site__hold_four_times_what_one_client_may() -> None:
    shares = Shares(1_000)
    with ExitStack() as stack:
        refusals = [
            refused
            for site in range(6)
            for number in range(6)
            if (refused := take_or_refusal(stack, shares, subscriber(site, number)))
        ]
        assert shares.total == 4 * 3
        assert all("of the network 2001:db8:1" in text for text in refusals)
        stack.enter_context(shares.take(NAMES.of(request("2001:db8:2::1")).bounds(3), 1, "waits"))
    assert shares.total == 0


def take_or_refusal(stack: ExitStack, shares: Shares, client: Client) -> str:
    """Holds one share on the stack, or says why not."""
    try:
        stack.enter_context(shares.take(client.bounds(3), 1, "waits"))
    except ProtocolError as error:
        return error.message
    return ""


def test_rates__many_clients_of_one_site__have_the_sites_bucket_too() -> None:
    rates = ClientRates(1.0, 3)
    granted = [rates.take(subscriber(site, number)) == 0.0 for site in range(6) for number in range(6)]
    assert granted.count(True) == 4 * 3
    assert rates.take(NAMES.of(request("2001:db8:2::1"))) == 0.0


def test_rates__refused_requests__cost_the_neighbours_nothing() -> None:
    rates = ClientRates(1.0, 3)
    for _ in range(100):
        rates.take(subscriber(1, 1))
    assert rates.take(subscriber(1, 2)) == 0.0
