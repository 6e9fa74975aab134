"""Loops that hang are named by /healthz and end the role; those that may wait, and idle ones, do not."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from aligned import watchdog
from aligned.core.errors import DependencyError, InvariantError
from aligned.loops import repeat, run_all
from aligned.serving import create_app
from aligned.watchdog import EXIT_BLOCKED, Watchdog, WatchLimits

SERVICES = sorted(Path(watchdog.__file__).parent.glob("*/service.py"))
SHORT = WatchLimits(stall_s=0.05, end_after_s=0.0)


async def _hang() -> bool:
    await asyncio.sleep(3_600)
    return False


async def _idle() -> bool:
    return False


async def test_run_all__step_hangs__ends_and_names_the_loop() -> None:
    watchdog.limits.set(SHORT)
    stop = asyncio.Event()
    with pytest.raises(InvariantError, match="loop_stuck: loop 'post'"):
        await run_all(stop, repeat("post", _hang, stop, 0.001), repeat("follow", _idle, stop, 0.001))


async def test_run_all__within_another__loops_are_of_one_watchdog() -> None:
    watchdog.limits.set(SHORT)
    stop = asyncio.Event()
    inner = run_all(stop, repeat("inner", _hang, stop, 0.001))
    with pytest.raises(InvariantError, match="loop_stuck: loop 'inner'"):
        await run_all(stop, inner, repeat("outer", _idle, stop, 0.001))


async def test_run_all__loop_that_cannot_be_cancelled__ends_all_the_same() -> None:
    watchdog.limits.set(SHORT)
    release = asyncio.Event()

    async def deaf() -> bool:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return False

    stop = asyncio.Event()
    with pytest.raises(InvariantError, match="loop_stuck"):
        await run_all(stop, repeat("post", deaf, stop, 0.001), grace_s=0.1)
    release.set()


async def test_run_all__step_announces_its_wait__goes_on() -> None:
    watchdog.limits.set(SHORT)
    stop, rounds = asyncio.Event(), 0

    async def slow() -> bool:
        nonlocal rounds
        with watchdog.waiting(3_600):
            await asyncio.sleep(1.2)  # longer than the watchdog's own turn
        rounds += 1
        if rounds == 2:
            stop.set()
        return True

    await run_all(stop, repeat("post", slow, stop, 0.001))
    assert rounds == 2


async def test_run_all__step_comes_further_by_parts__goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()
    dog = Watchdog(WatchLimits(stall_s=10))
    watchdog.current.set(dog)
    now = time.monotonic()
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now)

    async def in_parts() -> bool:
        nonlocal now
        for _ in range(5):
            now += 9
            dog.check()
            watchdog.beat()
        now += 11
        with pytest.raises(DependencyError, match="'work' has not come round for 11 s"):
            dog.check()
        stop.set()
        return True

    await repeat("work", in_parts, stop, 0.001)
    dog.check()


async def test_watchdog__idle_loop_with_a_long_poll__is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now)
    dog = Watchdog(WatchLimits(stall_s=10))
    dog.enter("clean", 3_600)
    now += 4_000
    dog.check()
    assert [(each.name, each.is_stuck) for each in dog.status()] == [("clean", False)]


async def test_healthz__loop_overdue__is_503_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now)

    async def ready() -> dict[str, object]:
        return {}

    app = create_app("test", ready, lambda: b"")
    app.state.watchdog = Watchdog(WatchLimits(stall_s=10))
    app.state.watchdog.enter("post", 1.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/healthz")).status_code == 200
        now += 11
        answer = await http.get("/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "loop_stuck")
    assert "'post'" in answer.json()["detail"]


def test_run_all__event_loop_blocked__process_ends_and_says_where() -> None:
    code = (
        "import asyncio, time\n"
        "from aligned import watchdog\n"
        "from aligned.loops import repeat, run_all\n"
        "async def blocks(): time.sleep(3600)\n"
        "async def main():\n"
        "    watchdog.limits.set(watchdog.WatchLimits(blocked_s=1.0))\n"
        "    stop = asyncio.Event()\n"
        "    await run_all(stop, repeat('post', blocks, stop, 0.1))\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == EXIT_BLOCKED
    assert "event loop blocked" in ended.stderr
    assert "in blocks" in ended.stderr


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: str(path.parent.name))
def test_service__its_loops__report_their_rounds(service: Path) -> None:
    """All that a role runs beside its server is made by functions that report (`repeat`, cursors, feed, workers)."""
    nodes = list(ast.walk(ast.parse(service.read_text())))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    named = {ast.unparse(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
    started = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "run_all"]
    assert started
    reporting = ("repeat(", "loop(", ".run(stop", ".loops(stop", "serve(", "serve_until(")
    for call in started:
        for loop in call.args[1:]:
            made = ast.unparse(named.get(ast.unparse(loop), loop))
            assert any(name in made for name in reporting), made


def test_services__every_role__is_looked_at() -> None:
    assert {path.parent.name for path in SERVICES} == {
        "batcher",
        "bls_aggregator",
        "gateway",
        "operator",
        "payments_poller",
        "proof_aggregator",
    }
