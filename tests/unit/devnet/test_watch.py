"""Which processes a devnet can lose, what it starts again, and when it gives up."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from aligned.core.errors import DependencyError
from aligned.devnet.watch import CHILD_ENDED, Watch, while_watched


class FakeChild:
    """A process that the test ends."""

    def __init__(self, name: str, *, stays_up: bool = True) -> None:
        self.name = name
        self.alive = True
        self.starts = 0
        self._stays_up = stays_up

    def is_running(self) -> bool:
        return self.alive

    def start(self) -> None:
        self.starts += 1
        self.alive = self._stays_up

    def log_tail(self) -> str:
        return f"last words of {self.name}"


def test_look__role_ended__started_again_after_a_pause_and_said() -> None:
    gateway, said = FakeChild("gateway"), list[str]()
    watch = Watch({"anvil": FakeChild("anvil")}, {"gateway": gateway}, said.append)
    gateway.alive = False
    watch.look(100.0)
    watch.look(100.5)
    assert gateway.starts == 0
    watch.look(101.0)
    assert (gateway.starts, gateway.alive) == (1, True)
    assert "last words of gateway" in said[0]
    assert said[1] == "gateway started again"


def test_look__role_that_never_stays_up__longer_pauses_then_the_end_with_its_log() -> None:
    gateway, said, now_s = FakeChild("gateway", stays_up=False), list[str](), 0.0
    watch = Watch({}, {"gateway": gateway}, said.append)
    gateway.alive = False
    started: list[float] = []
    with pytest.raises(DependencyError, match="last words of gateway") as error:
        while now_s < 1_000:
            before = gateway.starts
            watch.look(now_s)
            started += [now_s] if gateway.starts > before else []
            now_s += 0.5
    assert error.value.code == CHILD_ENDED
    pauses = [later - earlier for earlier, later in itertools.pairwise(started)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]


def test_look__role_that_dies_once_an_hour__is_never_given_up() -> None:
    gateway = FakeChild("gateway")
    watch = Watch({}, {"gateway": gateway}, lambda _line: None)
    for hour in range(1, 21):
        gateway.alive = False
        watch.look(hour * 3_600.0)
        watch.look(hour * 3_600.0 + 40)
        watch.look(hour * 3_600.0 + 1_000)
    assert gateway.starts == 20


@pytest.mark.parametrize("name", ["anvil", "PostgreSQL"])
def test_look__chain_or_database_ended__over(name: str) -> None:
    child = FakeChild(name)
    watch = Watch({name: child}, {}, lambda _line: None)
    child.alive = False
    with pytest.raises(DependencyError, match=f"{name} ended") as error:
        watch.look(0.0)
    assert error.value.code == CHILD_ENDED
    assert child.starts == 0


async def test_while_watched__child_is_lost__work_is_cancelled() -> None:
    child, ended = FakeChild("anvil"), asyncio.Event()

    async def work() -> None:
        child.alive = False
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(DependencyError):
        await while_watched(Watch({"anvil": child}, {}, lambda _line: None), work())
    assert ended.is_set()


async def test_while_watched__work_ends__its_result() -> None:
    async def work() -> int:
        return 7

    assert await while_watched(Watch({}, {}, lambda _line: None), work()) == 7
