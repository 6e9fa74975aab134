"""The pool: hostile verifiers, limits, fairness, and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aligned.core.errors import DependencyError
from aligned.core.types import ProvingSystem, VerificationData
from aligned.verifiers import pool as pool_module
from aligned.verifiers.base import Verdict
from aligned.verifiers.child import Child
from aligned.verifiers.pool import VerifierPool
from tests.integration.verifiers.conftest import install

HANG, KILL, EXIT, HOARD, CHECK, FAIL, SHOUT, PAUSE, ENVIRONMENT, ROOMY = range(200, 210)

pytestmark = pytest.mark.usefixtures("plugins")


def proof(system: int, data: bytes = b"good") -> VerificationData:
    return VerificationData(ProvingSystem(system), data, None, b"key", None, bytes(20))


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (HANG, "verifier_timeout"),
        (KILL, "verifier_crashed"),
        (EXIT, "verifier_crashed"),
        (HOARD, "verifier_crashed"),
        (FAIL, "internal_error"),
    ],
)
async def test_pool__proof_that_breaks_its_verifier__is_refused_and_the_pool_goes_on(
    system: int, code: str
) -> None:
    timeout_s = 1 if system == HANG else 60
    async with VerifierPool(1, timeout_s=timeout_s, memory_bytes=2**30) as pool:
        before = await pool.verify(proof(CHECK))
        broken = await pool.verify(proof(system))
        after = await pool.verify(proof(CHECK))
    assert (before.valid, broken.valid, after.valid) == (True, False, True)
    assert broken.code == code, broken


async def test_pool__proof_in_a_file__is_read_there_as_far_as_its_verifier_looks(tmp_path: Path) -> None:
    good, long = tmp_path / "good", tmp_path / "long"
    good.write_bytes(b"good")
    long.write_bytes(b"good" + bytes(2_000_000))
    async with VerifierPool(1, memory_bytes=2**30) as pool:
        verdicts = [
            await pool.verify(proof(CHECK, b""), None, path) for path in (good, long, tmp_path / "no")
        ]
    assert [verdict.code for verdict in verdicts] == ["ok", "proof_too_large", "proof_unreadable"]


async def test_pool__memory_hog__reason_names_memory() -> None:
    async with VerifierPool(1, memory_bytes=2**30) as pool:
        assert (await pool.verify(proof(HOARD))).reason == "the verifier ran out of memory"


async def test_pool__verifier_that_writes_to_stdout__verdicts_stay_readable() -> None:
    async with VerifierPool(1) as pool:
        verdicts = [await pool.verify(proof(system)) for system in (SHOUT, CHECK)]
    assert [verdict.code for verdict in verdicts] == ["ok", "ok"]


async def test_pool__secret_in_the_environment__is_not_passed_to_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALIGNED__BATCHER__PASSWORD", "secret")
    async with VerifierPool(1) as pool:
        names = (await pool.verify(proof(ENVIRONMENT))).reason
    assert "PATH" in names
    assert "ALIGNED" not in names


async def test_pool__system_without_verifier__unsupported() -> None:
    async with VerifierPool(1) as pool:
        for system in (ProvingSystem.GROTH16_BN254, ProvingSystem(250)):
            assert (await pool.verify(proof(system))).code == "unsupported_system"


async def test_pool__proof_above_the_verifiers_limit__too_large() -> None:
    """Whichever part of the submission it is that is too large."""
    inputs = VerificationData(ProvingSystem(CHECK), b"good", bytes(1025), None, None, bytes(20))
    async with VerifierPool(1) as pool:
        assert (await pool.verify(proof(CHECK, bytes(1025)))).code == "proof_too_large"
        assert (await pool.verify(inputs)).code == "proof_too_large"


async def test_pool__large_blobs__arrive_whole() -> None:
    big = VerificationData(ProvingSystem(ROOMY), b"good", bytes(9_000_000), None, b"", bytes(20))
    async with VerifierPool(2) as pool:
        assert all(verdict.valid for verdict in await pool.verify_all([big] * 8))


async def test_pool__many_proofs_among_crashes__verdicts_in_order() -> None:
    wanted = [(CHECK, b"good"), (CHECK, b"bad"), (KILL, b""), (CHECK, b"good")] * 3
    async with VerifierPool(2) as pool:
        verdicts = await pool.verify_all([proof(system, data) for system, data in wanted])
    assert [verdict.code for verdict in verdicts] == ["ok", "invalid_proof", "verifier_crashed", "ok"] * 3


async def test_pool__burst_of_one_sender__another_is_served_in_turn() -> None:
    finished: list[str] = []

    async def send(lane: str, system: int) -> None:
        await pool.verify(proof(system), lane=lane)
        finished.append(lane)

    async with VerifierPool(1) as pool:
        burst = [asyncio.create_task(send("burst", PAUSE)) for _ in range(6)]
        await asyncio.sleep(0)
        await asyncio.gather(*burst, asyncio.create_task(send("single", CHECK)))
    assert finished.index("single") <= 2


async def test_pool__too_many_waiting__busy() -> None:
    async with VerifierPool(1, max_waiting=2) as pool:
        waiting = [asyncio.create_task(pool.verify(proof(PAUSE))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(DependencyError) as caught:
            await pool.verify(proof(CHECK))
        assert caught.value.code == "server_busy"
        await asyncio.gather(*waiting)


async def test_pool__stopped_with_work__callers_hear_it_and_processes_end() -> None:
    async with VerifierPool(1) as pool:
        waiting = [asyncio.create_task(pool.verify(proof(HANG))) for _ in range(2)]
        await asyncio.sleep(0.3)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [getattr(outcome, "code", None) for outcome in outcomes] == ["server_busy"] * 2


@pytest.mark.parametrize("failure", [OSError(errno.ENOMEM, "no memory"), ValueError("a bug")])
async def test_pool__process_cannot_be_started__tried_again_and_keeps_its_size(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_RESTART_DELAY_S", 0.05)
    start, failures = asyncio.create_subprocess_exec, iter([failure, failure])

    async def fails_twice(*args: Any, **kwargs: Any) -> Any:
        if (error := next(failures, None)) is not None:
            raise error
        return await start(*args, **kwargs)

    async with VerifierPool(1, max_wait_s=60) as pool:
        monkeypatch.setattr(asyncio, "create_subprocess_exec", fails_twice)
        assert (await pool.verify(proof(KILL))).code == "verifier_crashed"
        with pytest.raises(DependencyError):
            pool.check()
        assert (await pool.verify(proof(CHECK))).valid
        assert next(failures, None) is None
        pool.check()


async def test_pool__no_process_can_be_started__callers_are_told_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_args: Any, **_kwargs: Any) -> Any:
        raise OSError(errno.EMFILE, "too many open files")

    async with VerifierPool(1, max_wait_s=0.5) as pool:
        monkeypatch.setattr(asyncio, "create_subprocess_exec", fails)
        assert (await pool.verify(proof(KILL))).code == "verifier_crashed"
        with pytest.raises(DependencyError) as caught:
            await pool.verify(proof(CHECK))
    assert caught.value.code == "server_busy"


async def test_pool__bug_while_talking_to_a_worker__caller_hears_it_and_the_pool_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verify, failures = Child.verify, iter([RuntimeError("a bug")])

    async def fails_once(child: Child, *asked: Any) -> Verdict:
        if (error := next(failures, None)) is not None:
            raise error
        return await verify(child, *asked)

    monkeypatch.setattr(Child, "verify", fails_once)
    async with VerifierPool(1) as pool:
        with pytest.raises(DependencyError):
            await pool.verify(proof(CHECK))
        assert (await pool.verify(proof(CHECK))).valid


async def test_pool__caller_gives_up__next_proof_is_served() -> None:
    async with VerifierPool(1, timeout_s=1) as pool:
        hanging = asyncio.create_task(pool.verify(proof(HANG)))
        queued = asyncio.create_task(pool.verify(proof(CHECK)))
        await asyncio.sleep(0.2)
        hanging.cancel()
        assert (await queued).valid


def test_worker__parent_killed_while_a_verifier_hangs__ends_too(tmp_path: Path) -> None:
    script = (
        "import asyncio\n"
        "from aligned.core.types import ProvingSystem, VerificationData\n"
        "from aligned.verifiers.child import Child\n"
        "async def main():\n"
        "    child = await Child.start(2**31)\n"
        "    print(child.pid, flush=True)\n"
        "    await child.verify(VerificationData(ProvingSystem(200), b'x', None, None, None, bytes(20)), 60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for _ in range(200):
        state = Path(f"/proc/{worker}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        os.sched_yield()
        signal.sigtimedwait([signal.SIGUSR2], 0.05)
    raise AssertionError(f"worker {worker} is still alive")


async def test_pool__plugin_claims_a_known_id__does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bad", "taken")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "bad"))
    with pytest.raises(DependencyError) as caught:
        await VerifierPool(1).__aenter__()
    assert caught.value.code == "verifier_start"
