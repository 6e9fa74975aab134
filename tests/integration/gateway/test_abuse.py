"""What strangers try: to hold the gateway up, to leave something behind, and to learn what is inside."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from aligned.clients import Client
from aligned.core.errors import DependencyError
from aligned.storage.aggregation import submissions
from aligned.storage.objects import ObjectStore
from tests.integration.gateway.running import Running
from tests.integration.gateway.submitter import Submitter, pay, risc0
from tests.integration.votes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _say(gateway: Running, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway.port)
    writer.write(request)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("length", [1_000, 30_000, 300_000])
async def test_submit__content_type_of_many_parameters__costs_no_time(gateway: Running, length: int) -> None:
    head = b"POST /v1/proofs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Type: multipart/form-data"
    began = time.process_time()
    answer = await _say(gateway, head + b";" * length + b"\r\n\r\n")
    assert time.process_time() - began < 0.2, "in this process, which is the gateway's"
    assert answer[:12] in (b"HTTP/1.1 415", b"HTTP/1.1 431", b"HTTP/1.1 400", b""), answer


async def test_wait__client_goes_away__its_share_is_free_at_once(gateway: Running, user: Submitter) -> None:
    proof_id = (await gateway.submit(user, risc0(), 0)).json()["id"]
    waiters = gateway.gateway._gate.waits
    _reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway.port)
    writer.write(f"GET /v1/proofs/{proof_id}?wait_s=50 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await eventually(lambda: _is(waiters, 1), lambda: "waiting")
    writer.close()
    async with asyncio.timeout(10):
        await eventually(lambda: _is(waiters, 0), lambda: "gone")


async def _is(waiters: Any, total: int) -> bool:
    return bool(waiters.total == total)


async def test_events__asked_for_again_after_the_end__204_which_ends_it(
    gateway: Running, user: Submitter
) -> None:
    proof_id = (await gateway.submit(user, risc0(), 0)).json()["id"]
    async with gateway.db.transaction() as conn:
        await submissions.reject(conn, proof_id, "x", "y", states=("pending",))
    path = f"/v1/proofs/{proof_id}/events"
    lines = (await gateway.get(path)).text.splitlines()
    last = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")][-1]
    async with asyncio.timeout(10):
        answer = await gateway.get(path, headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("refused", [PoolTimeout("busy"), psycopg.errors.LockNotAvailable("locked")])
async def test_submit__database_refuses_the_row__nothing_is_left(
    gateway: Running, user: Submitter, refused: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gateway.objects()

    async def refuses(*_: object) -> bool:
        raise refused

    with monkeypatch.context() as patch:
        patch.setattr(submissions, "reserve", refuses)
        answer = await gateway.submit(user, risc0(), 0)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert (gateway.objects(), gateway.spooled()) == (before, [])
    assert (await gateway.quota(user), await gateway.nonce(user)) == (10, 0)


async def test_dependency__does_not_answer__says_nothing_of_hosts_and_folders(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise DependencyError("store_unavailable", "put: no room in /srv/secret of host db.internal")

    monkeypatch.setattr(ObjectStore, "put_file", down)
    answer = await gateway.submit(user, risc0(), 0)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "secret" not in answer.text
    assert "internal" not in answer.text


async def test_ready__store_does_not_answer__not_ready(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> bytes:
        raise DependencyError("store_unavailable", "get: no answer of host store.internal")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "get", down)
        answer = await gateway.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "internal" not in answer.text
    assert (await gateway.get("/readyz")).json()["status"] == "ready"


async def test_unexpected_error__500_as_problem_that_says_nothing(
    gateway: Running, user: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise OSError(28, "No space left on device", "/srv/secret")

    monkeypatch.setattr(ObjectStore, "put_file", breaks)
    answer = await gateway.submit(user, risc0(), 0)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert [path.read_bytes() for path in gateway.spooled()] == [b""], (
        "the name of what may be stored, no more"
    )


async def test_leaves__of_many_rows__cost_as_much_as_several_reads(gateway: Running) -> None:
    gate = gateway.gateway._gate
    for _ in range(12):
        gate.charge_read(Client("203.0.113.9"), 23_808)
    with pytest.raises(Exception, match="too many requests"):
        gate.admit_read(Client("203.0.113.9"))
    gate.admit_read(Client("203.0.113.10"))


async def test_submit__first_payment_used_up_while_it_waits_for_it__charged_to_the_next(
    gateway: Running, user: Submitter
) -> None:
    await pay(gateway.db, user.address, valid_until_s=int(time.time()) + 7_200)
    async with gateway.db.transaction() as conn:
        await conn.execute(
            "UPDATE quotas SET used = proofs WHERE id = (SELECT min(id) FROM quotas WHERE address = %s)",
            (user.address,),
        )
        sent = asyncio.create_task(gateway.submit(user, risc0(), 0))
        await asyncio.sleep(2)
        assert not sent.done(), "it waits for the lock"
    assert (await sent).status_code == 201
    assert (await gateway.quota(user), await gateway.nonce(user)) == (9, 1)
