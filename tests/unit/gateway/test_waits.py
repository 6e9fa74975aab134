"""Places of those who wait: strangers give theirs up to owners, and to whoever has fewer."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from aligned.clients import Client
from aligned.core.errors import AlignedError
from aligned.gateway.waits import Hold, Waits

OURS, OTHERS = b"our account", b"another account"
OWNER = Client("192.0.2.1")


def crowd(stack: ExitStack, waits: Waits, clients: int, places: int) -> list[Hold]:
    """Strangers who hold so many places each."""
    return [
        stack.enter_context(waits.hold(Client(f"198.51.100.{number}"), OURS))
        for _ in range(places)
        for number in range(clients)
    ]


def test_wait__all_places_are_strangers__owner_gets_the_oldest_of_who_has_most() -> None:
    waits = Waits(limit=10, limit_per_client=6)
    waits.remember(OURS, OWNER)
    with ExitStack() as stack:
        few = crowd(stack, waits, clients=2, places=2)
        many = [stack.enter_context(waits.hold(Client("203.0.113.9"), OURS)) for _ in range(6)]
        woken: list[int] = []
        for number, hold in enumerate(many):
            hold.on_end(lambda number=number: woken.append(number))  # type: ignore[misc]
        stack.enter_context(waits.hold(OWNER, OURS))
        assert [hold.ended for hold in many] == [True] + [False] * 5
        assert woken == [0]
        assert not any(hold.ended for hold in few)
        assert waits.total == 10
    assert waits.total == 0


def test_wait__another_accounts_proof__owner_is_a_stranger() -> None:
    waits = Waits(limit=4, limit_per_client=1)
    waits.remember(OURS, OWNER)
    with ExitStack() as stack:
        crowd(stack, waits, clients=4, places=1)
        with pytest.raises(AlignedError, match="waits: at most 4"), waits.hold(OWNER, OTHERS):
            pass
        with waits.hold(OWNER, OURS):
            pass


def test_wait__twenty_addresses_with_fifty_places_each__newcomer_gets_one() -> None:
    waits = Waits(limit=1_000, limit_per_client=50)
    with ExitStack() as stack:
        held = crowd(stack, waits, clients=20, places=50)
        newcomers = [Client(f"203.0.113.{number}") for number in range(100)]
        for each in newcomers:
            stack.enter_context(waits.hold(each, OURS))
        assert sum(hold.ended for hold in held) == 100
        assert waits.total == 1_000


def test_wait__everybody_has_as_many__nobody_is_sent_away_for_another() -> None:
    waits = Waits(limit=6, limit_per_client=5)
    with ExitStack() as stack:
        held = crowd(stack, waits, clients=6, places=1)
        with pytest.raises(AlignedError) as refused, waits.hold(Client("203.0.113.9"), OURS):
            pass
        assert refused.value.code == "server_busy"
        assert not any(hold.ended for hold in held)


def test_wait__addresses_of_one_site__count_together() -> None:
    waits = Waits(limit=8, limit_per_client=4)
    site = [
        Client(f"2001:db8:1:{number}::/64", ("2001:db8:1::/56", "2001:db8:1::/48")) for number in range(8)
    ]
    with ExitStack() as stack:
        held = [stack.enter_context(waits.hold(each, OURS)) for each in site]
        stack.enter_context(waits.hold(Client("203.0.113.9"), OURS))
        assert sum(hold.ended for hold in held) == 1


def test_wait__more_than_one_client_may__refused() -> None:
    waits = Waits(limit=10, limit_per_client=2)
    with ExitStack() as stack:
        crowd(stack, waits, clients=1, places=2)
        with pytest.raises(AlignedError) as refused, waits.hold(Client("198.51.100.0"), OURS):
            pass
        assert refused.value.code == "rate_limited"
        assert waits.total == 2


def test_wait__one_account_from_many_addresses__has_a_part_before_strangers() -> None:
    waits = Waits(limit=16, limit_per_client=16)
    with ExitStack() as stack:
        for number in range(16):
            client = Client(f"198.51.100.{number}")
            waits.remember(OTHERS, client)
            stack.enter_context(waits.hold(client, OTHERS))
        waits.remember(OURS, OWNER)
        for _ in range(2):
            stack.enter_context(waits.hold(OWNER, OURS))
        assert waits.total == 16


def test_wait__place_was_given_up__its_end_frees_nothing_twice() -> None:
    waits = Waits(limit=1, limit_per_client=1)
    waits.remember(OURS, OWNER)
    with waits.hold(Client("203.0.113.9"), OURS) as stranger, waits.hold(OWNER, OURS):
        assert stranger.ended
        assert waits.total == 1
    assert waits.total == 0
