"""Long polls and event streams when strangers take all the places."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from aligned.storage.postgres import Database
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.submitter import Submitter, risc0
from tests.integration.votes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
OURS = "203.0.113.1"
_PLACES = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowded(db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    """A gateway with few places to wait, whose proxy names the clients."""
    settings = gateway_settings(
        database_url,
        folder / "crowded",
        trusted_proxies=("127.0.0.1/32",),
        max_waiters=_PLACES,
        max_waiters_per_ip=5,
    )
    async with running_gateway(settings, db) as running:
        yield running


async def _get(gateway: Running, address: str, path: str) -> httpx.Response:
    return await gateway.get(path, headers={"X-Forwarded-For": address})


async def _stream(gateway: Running, address: str, path: str, stack: AsyncExitStack) -> httpx.Response:
    http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
    headers = {"X-Forwarded-For": address}
    return await stack.enter_async_context(http.stream("GET", gateway.url + path, headers=headers))


async def test_wait__strangers_stream_from_many_addresses__owner_waits_and_nobody_gets_503(
    crowded: Running, user: Submitter
) -> None:
    waits = crowded.gateway._gate.waits
    async with httpx.AsyncClient(trust_env=False, headers={"X-Forwarded-For": OURS}) as http:
        proof_id = (await http.post(f"{crowded.url}/v1/proofs", **user.form(risc0(), 0))).json()["id"]
    path = f"/v1/proofs/{proof_id}"
    async with AsyncExitStack() as stack:
        streams = [
            await _stream(crowded, f"198.51.100.{number % 4}", f"{path}/events", stack)
            for number in range(_PLACES)
        ]
        assert [stream.status_code for stream in streams] == [200] * _PLACES
        ours = asyncio.create_task(_get(crowded, OURS, f"{path}?wait_s=60"))
        async with asyncio.timeout(30):
            assert b"event: state" in await streams[0].aread(), (
                "the oldest stream makes room, and ends in order"
            )
        assert waits.total == _PLACES
        # Each stranger of a further address takes the place of one who has several, until all have as many.
        later = [await _get(crowded, f"198.51.100.{number % 4}", f"{path}?wait_s=60") for number in range(4)]
        assert [(each.status_code, each.json()["state"]) for each in later] == [(200, "pending")] * 4
        assert all(each.headers["retry-after"] for each in later)
        assert not ours.done()
        async with crowded.db.transaction() as conn:
            await conn.execute(
                "UPDATE proofs SET state = 'rejected', reject_code = 'x' WHERE id = %s", (proof_id,)
            )
        assert (await ours).json()["state"] == "rejected"

    async def left() -> bool:
        return waits.total == 0

    await eventually(left, lambda: f"{waits.total} wait")
