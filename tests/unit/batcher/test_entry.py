"""What strangers may ask, and what invalid proofs cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligned.batcher.entry import Entry
from aligned.batcher.penalties import Penalties, PenaltyRules
from aligned.batcher.recent import Recent
from aligned.batcher.turns import Turns
from aligned.clients import Client
from aligned.core.errors import DependencyError
from aligned.settings import BatcherSettings

ALICE, MALLORY = b"\x01" * 20, b"\x02" * 20
HOME, OFFICE = Client("192.0.2.1"), Client("192.0.2.2")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def code_of(act: Callable[[], None]) -> str:
    try:
        act()
    except DependencyError as error:
        return error.code if error.context["retry_after_s"] else "says not when"
    return "ok"


def entry(**changes: object) -> Entry:
    return Entry(BatcherSettings.model_validate(changes))


def test_penalties__one_invalid_proof_after_the_other__pause_doubles_to_a_bound_and_is_forgotten() -> None:
    clock = Clock()
    penalties = Penalties(PenaltyRules(1, 1.0, 8.0, 100.0), clock=clock)
    pauses = []
    for _ in range(7):
        penalties.record("m")
        pauses.append(penalties.wait_s("m"))
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    clock.now += 8 + 2 * 100.0
    assert penalties.wait_s("m") == 0.0
    penalties.record("m")
    assert penalties.wait_s("m") == 4.0
    assert penalties.wait_s("another") == 0.0


@given(st.lists(st.floats(0, 1_000)))
def test_penalties__any_history__pause_within_the_bound(gaps: list[float]) -> None:
    clock = Clock()
    penalties = Penalties(PenaltyRules(0, 1.0, 60.0, 30.0), clock=clock)
    for gap in gaps:
        clock.now += gap
        penalties.record("m")
        assert 1.0 <= penalties.wait_s("m") <= 60.0


def test_penalties__more_keys_than_are_kept__oldest_forgotten() -> None:
    penalties = Penalties(PenaltyRules(0, 1.0, 60.0, 30.0), max_keys=2)
    for key in "abc":
        penalties.record(key)
    assert [penalties.wait_s(key) > 0 for key in "abc"] == [False, True, True]


def test_entry__many_keys_of_one_address__strangers_share_its_rate_known_accounts_do_not() -> None:
    gate = entry(stranger_messages_per_s=0.001, stranger_message_burst=2)
    gate.valid(ALICE)
    keys = [bytes([i]) * 20 for i in range(10, 14)]
    codes = [code_of(lambda key=key: gate.submission(key, HOME)) for key in keys]  # type: ignore[misc]
    assert codes == ["ok", "ok", "rate_limited", "rate_limited"]
    assert code_of(lambda: gate.submission(ALICE, HOME)) == "ok"
    assert code_of(lambda: gate.submission(MALLORY, OFFICE)) == "ok"


def test_entry__strangers_from_everywhere__bounded_in_all() -> None:
    gate = entry(strangers_per_s=0.001, stranger_burst=3)
    clients = [Client(f"198.51.100.{i}") for i in range(5)]
    codes = [code_of(lambda c=c: gate.question(c)) for c in clients]  # type: ignore[misc]
    assert codes == ["ok"] * 3 + ["rate_limited"] * 2


def test_entry__invalid_proof__its_account_waits_everywhere_others_do_not() -> None:
    gate = entry(invalid_free=0, invalid_pause_s=100.0)
    gate.invalid(MALLORY, HOME)
    assert code_of(lambda: gate.submission(MALLORY, OFFICE)) == "paused_after_invalid_proofs"
    assert code_of(lambda: gate.submission(ALICE, HOME)) == "ok"


def test_entry__more_invalid_proofs_allowed_to_an_account__its_address_is_held_to_no_less() -> None:
    """Else the address of the only user would be paused before the account is."""
    gate = entry(invalid_free=20, invalid_pause_s=50.0)
    for _ in range(20):
        gate.invalid(MALLORY, HOME)
    assert code_of(lambda: gate.submission(MALLORY, HOME)) == "ok"
    gate.invalid(MALLORY, HOME)
    assert code_of(lambda: gate.submission(MALLORY, HOME)) == "paused_after_invalid_proofs"


def test_entry__new_account_for_each_invalid_proof__its_address_waits_known_accounts_do_not() -> None:
    gate = entry(invalid_pause_s=50.0)
    gate.valid(ALICE)
    for i in range(9):
        gate.invalid(bytes([100 + i]) * 20, HOME)
    assert code_of(lambda: gate.submission(MALLORY, HOME)) == "paused_after_invalid_proofs"
    assert code_of(lambda: gate.submission(ALICE, HOME)) == "ok"
    assert code_of(lambda: gate.submission(MALLORY, OFFICE)) == "ok"


def test_entry__addresses_of_one_ipv6_customer__wait_together() -> None:
    gate = entry(invalid_pause_s=50.0)
    for i in range(9):
        gate.invalid(
            bytes([100 + i]) * 20, Client(f"2001:db8:0:{i}::/64", ("2001:db8::/56", "2001:db8::/48"))
        )
    other = Client("2001:db8:0:77::/64", ("2001:db8::/56", "2001:db8::/48"))
    assert code_of(lambda: gate.submission(MALLORY, other)) == "paused_after_invalid_proofs"


async def test_turns__more_than_may_run__wait_in_order_and_nothing_stays() -> None:
    turns, running, release = Turns(), [], asyncio.Event()

    async def work(number: int) -> None:
        async with turns.take("m", 2):
            running.append(number)
            await release.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running == [0, 1]
    tasks[2].cancel()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], tasks[2], return_exceptions=True)
    release.set()
    await asyncio.gather(tasks[1], tasks[3])
    assert running == [0, 1, 3]
    assert len(turns) == 0


async def test_recent__many_ask_at_once__read_once_and_a_failure_is_not_kept() -> None:
    reads = 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        if reads == 1:
            raise DependencyError("database_unavailable", "x")
        return reads

    recent = Recent(read, 60.0)
    with pytest.raises(DependencyError):
        await recent.get()
    assert await asyncio.gather(*(recent.get() for _ in range(5))) == [2] * 5
