"""What the gateway leans on fails: database, object store, verifiers, its own life; and the books stay right."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from aligned.core.errors import DependencyError
from aligned.storage.aggregation import payments, submissions
from aligned.storage.embedded import EmbeddedPostgres
from aligned.storage.objects import ObjectStore
from aligned.storage.postgres import Database, migrate
from aligned.verifiers.base import refused
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.submitter import Submitter, pay, risc0, sp1, submitter
from tests.integration.votes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _rows(db: Database, user: Submitter) -> list[tuple[int, str, str]]:
    async with db.transaction() as conn:
        found = await conn.execute(
            "SELECT nonce, state, coalesce(reject_code, '') AS code FROM proofs WHERE address = %s ORDER BY nonce",
            (user.address,),
        )
        return [(row["nonce"], row["state"], row["code"]) for row in await found.fetchall()]


def _workers() -> list[int]:
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if "aligned.verifiers.worker" in child.cmdline()]


async def test_database__stopped_and_started__503_meanwhile_and_all_well_after(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "own", durable=False)
    server.start()
    url = server.url("gateway")
    user = submitter(1)
    async with Database(url, timeout_s=2.0) as db:
        await migrate(db, "aggregation")
        await pay(db, user.address)
        async with running_gateway(gateway_settings(url, tmp_path), db) as gateway:
            first = (await gateway.submit(user, risc0(), 0)).json()
            server.stop()
            for answer in [
                await gateway.submit(user, sp1(), 1),
                await gateway.get(f"/v1/proofs/{first['id']}"),
                await gateway.get(f"/v1/accounts/{user.hex}/quota"),
                await gateway.get("/readyz"),
            ]:
                assert answer.status_code == 503, answer.text
                assert answer.headers["retry-after"]
            server.start()
            await eventually(lambda: _is_ready(gateway), lambda: "ready again")
            again = await gateway.submit(user, sp1(), 1)
            assert again.status_code == 201, again.text
            assert (await gateway.quota(user), await gateway.nonce(user)) == (8, 2)
            waiting = asyncio.create_task(
                gateway.get(f"/v1/proofs/{again.json()['id']}?wait_s=30&until=proving")
            )
            await asyncio.sleep(0.2)
            async with db.transaction() as conn:
                await conn.execute(
                    "UPDATE proofs SET state = 'rejected', reject_code = 'x' WHERE id = %s",
                    (again.json()["id"],),
                )
            assert (await waiting).json()["state"] == "rejected", "it listens again"
    server.stop()


async def _is_ready(gateway: Running) -> bool:
    return (await gateway.get("/readyz")).status_code == 200


async def _has(gateway: Running, user: Submitter, state: str) -> bool:
    return state in [row[1] for row in await _rows(gateway.db, user)]


async def test_verifier__dies_once__the_proof_is_verified_again(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = gateway.gateway._context.pool
    verify, verdicts = pool.verify, [refused("verifier_crashed", "ended by SIGKILL")]

    async def dies_once(*args: Any) -> Any:
        return verdicts.pop() if verdicts else await verify(*args)

    monkeypatch.setattr(pool, "verify", dies_once)
    assert (await gateway.submit(user, sp1(), 0)).status_code == 201
    assert await gateway.quota(user) == 9


async def test_verifiers__all_killed_in_the_middle__verdict_quota_back_and_new_ones(
    gateway: Running, user: Submitter
) -> None:
    for worker in _workers():
        os.kill(worker, signal.SIGSTOP)
    sent = asyncio.create_task(gateway.submit(user, sp1(), 0))
    await eventually(lambda: _has(gateway, user, "verifying"), lambda: "verifying")
    for worker in _workers():
        os.kill(worker, signal.SIGKILL)
    answer = await sent
    assert (answer.status_code, answer.json()["code"]) == (422, "verifier_crashed")
    assert await gateway.quota(user) == 10
    assert (await gateway.submit(user, sp1(), 1)).status_code == 201


@pytest.mark.parametrize("level", ["too-slow", "crashes"])
async def test_verifier__verdict_about_itself__rejected_and_quota_back(
    gateway: Running, user: Submitter, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = gateway.gateway._context.pool
    if level == "too-slow":
        monkeypatch.setattr(pool, "_timeout_s", 0.001)
        answer = await gateway.submit(user, sp1(), 0)
        expected = "verifier_timeout"
    else:

        async def dies(*_: Any) -> Any:
            return refused("verifier_crashed", "ended by SIGSEGV")

        monkeypatch.setattr(pool, "verify", dies)
        answer = await gateway.submit(user, sp1(), 0)
        expected = "verifier_crashed"
    assert (answer.status_code, answer.json()["code"]) == (422, expected)
    assert await _rows(gateway.db, user) == [(0, "rejected", expected)]
    assert await gateway.quota(user) == 10


async def test_verifier__busy__503_and_verified_later(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = gateway.gateway._context.pool
    verify = pool.verify

    async def busy(*_: Any) -> Any:
        raise DependencyError("server_busy", "the pool is stopping")

    monkeypatch.setattr(pool, "verify", busy)
    answer = await gateway.submit(user, risc0(), 0)
    assert (answer.status_code, answer.json()["code"]) == (503, "server_busy")
    assert await _rows(gateway.db, user) == [(0, "verifying", "")]
    assert await gateway.quota(user) == 9
    monkeypatch.setattr(pool, "verify", verify)
    again = await gateway.submit(user, risc0(), 0)
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert (await gateway.quota(user), await gateway.nonce(user)) == (9, 1)


async def test_store__down__503_and_nothing_charged(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: Any) -> None:
        raise DependencyError("store_unavailable", "put: no space left")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "put_file", down)
        answer = await gateway.submit(user, risc0(), 0)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert (await _rows(gateway.db, user), gateway.spooled()) == ([], [])
    assert (await gateway.submit(user, risc0(), 0)).status_code == 201


@pytest.mark.parametrize("damaged", [False, True])
async def test_stored_proof__gone_or_damaged_before_its_verdict__not_the_users_fault(
    gateway: Running, user: Submitter, damaged: bool
) -> None:
    answer = await gateway.submit(user, risc0(), 0)
    proof_id = answer.json()["id"]
    store, key = (
        ObjectStore.from_url(gateway.settings.store.url, "http://x"),
        f"{proof_id.replace('-', '')}.proof",
    )
    proof = await store.get(key, 1 << 24)
    await store.delete(key)
    if damaged:
        await store.put(key, proof[:-1] + bytes([proof[-1] ^ 1]))
    async with gateway.db.transaction() as conn:
        await conn.execute("UPDATE proofs SET state = 'verifying' WHERE id = %s", (proof_id,))
    await eventually(lambda: _has(gateway, user, "rejected"), lambda: "rejected")
    assert await _rows(gateway.db, user) == [(0, "rejected", "proof_lost")]
    assert await gateway.quota(user) == 10


async def _accepted(gateway: Running, user: Submitter) -> str:
    return str((await gateway.submit(user, risc0(), 0)).json()["id"])


async def _abandon(gateway: Running, proof_id: str, attempts: int) -> None:
    """As if its process were gone, with so many attempts of others behind it."""
    async with gateway.db.transaction() as conn:
        await conn.execute(
            "UPDATE proofs SET state = 'verifying', leased_until = 'epoch', attempts = %s WHERE id = %s",
            (attempts, proof_id),
        )


async def test_verification__process_gone__taken_over_when_its_lease_ends(
    gateway: Running, user: Submitter
) -> None:
    proof_id = await _accepted(gateway, user)
    await _abandon(gateway, proof_id, 0)
    receipt = (await gateway.get(f"/v1/proofs/{proof_id}?wait_s=30&until=pending")).json()
    assert receipt["state"] == "pending"


async def test_verification__no_verdict_in_five_attempts__rejected(gateway: Running, user: Submitter) -> None:
    await _abandon(gateway, await _accepted(gateway, user), 5)
    await eventually(lambda: _has(gateway, user, "rejected"), lambda: "rejected")
    assert await gateway.quota(user) == 10


async def test_verification__breaks_for_the_fifth_time__rejected(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any) -> None:
        raise RuntimeError

    proof_id = await _accepted(gateway, user)
    monkeypatch.setattr(gateway.gateway._context.pool, "verify", breaks)
    await _abandon(gateway, proof_id, 4)
    await eventually(lambda: _has(gateway, user, "rejected"), lambda: "rejected")
    assert await _rows(gateway.db, user) == [(0, "rejected", "verifier_crashed")]
    assert await gateway.quota(user) == 10


@pytest.mark.parametrize("silent", ["store", "verifiers", "database"])
async def test_verification__something_else_is_silent__does_not_count_as_an_attempt(
    gateway: Running, user: Submitter, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = {
        "store": (gateway.gateway._context.stores.objects, "get"),
        "verifiers": (gateway.gateway._context.pool, "verify"),
        "database": (submissions, "accept"),
    }[silent]
    answers, silences = getattr(owner, name), [DependencyError("x_unavailable", "no answer")]

    async def silent_once(*args: Any) -> Any:
        if silences and args[0] != "readiness":
            raise silences.pop()
        return await answers(*args)

    proof_id = await _accepted(gateway, user)
    monkeypatch.setattr(owner, name, silent_once)
    await _abandon(gateway, proof_id, 4)
    receipt = (await gateway.get(f"/v1/proofs/{proof_id}?wait_s=30&until=pending")).json()
    assert (receipt["state"], silences) == ("pending", [])
    assert await gateway.quota(user) == 9


async def test_payment__orphaned__refused_and_running_proofs_wait(gateway: Running) -> None:
    user = submitter(5)
    payment = await pay(gateway.db, user.address, block_number=10**6)
    first = (await gateway.submit(user, risc0(), 0)).json()["id"]
    async with gateway.db.transaction() as conn:
        await payments.orphan_from(conn, payment.block_number)
    answer = await gateway.submit(user, sp1(), 1)
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_required")
    assert (await gateway.get(f"/v1/proofs/{first}")).json()["state"] == "unpaid"
    again = await gateway.submit(user, risc0(), 1)
    assert (again.status_code, again.json()["state"]) == (200, "unpaid")
    assert await gateway.quota(user) == 0
    async with gateway.db.transaction() as conn:
        await payments.record(conn, [payment])
    assert (await gateway.get(f"/v1/proofs/{first}")).json()["state"] == "pending"
    assert (await gateway.submit(user, sp1(), 1)).status_code == 201
    assert await gateway.quota(user) == 8


@pytest.mark.parametrize(("others", "state"), [(0, "unpaid"), (1, "pending")])
async def test_payment__orphaned_during_verification__another_pays_or_the_proof_is_unpaid(
    gateway: Running, user: Submitter, others: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = gateway.gateway._context.pool
    verify, held = pool.verify, asyncio.Event()

    async def slow(*args: Any) -> Any:
        await held.wait()
        return await verify(*args)

    monkeypatch.setattr(pool, "verify", slow)
    sent = asyncio.create_task(gateway.submit(user, risc0(), 0))
    await eventually(lambda: _has(gateway, user, "verifying"), lambda: "verifying")
    async with gateway.db.transaction() as conn:
        await conn.execute("UPDATE quotas SET orphaned = TRUE WHERE address = %s", (user.address,))
    for _ in range(others):  # pays for what is unpaid, and nothing is yet
        await pay(gateway.db, user.address)
    held.set()
    answer = await sent
    assert (answer.status_code, answer.json()["state"]) == (201, state)
    assert await gateway.quota(user) == 9 * others
