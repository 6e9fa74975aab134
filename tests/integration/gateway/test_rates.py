"""How often, and how much at a time, one address or account may: each test has addresses of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aligned.gateway.records import Records
from aligned.storage.postgres import Database
from aligned.wire.gateway import Leaves
from tests.integration.gateway.running import Running, gateway_settings, running_gateway
from tests.integration.gateway.submitter import Proof, Submitter, risc0

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = "0x" + "ab" * 32
ADDRESS = "0x" + "11" * 20
PROOF = "/v1/proofs/6f1c1f4e-7f5c-4b8e-9d8b-0a3c5f1e2d11"
LEAVES = f"/v1/aggregations/{ROOT}/leaves"
READS = {
    "/v1/status": "/v1/status",
    "/v1/proofs": f"/v1/proofs?address={ADDRESS}",
    "/v1/proofs/{proof_id}": PROOF,
    "/v1/proofs/{proof_id}/events": f"{PROOF}/events",
    "/v1/accounts/{address}/nonce": f"/v1/accounts/{ADDRESS}/nonce",
    "/v1/accounts/{address}/quota": f"/v1/accounts/{ADDRESS}/quota",
    "/v1/aggregations": "/v1/aggregations",
    "/v1/aggregations/{root}": f"/v1/aggregations/{ROOT}",
    "/v1/aggregations/{root}/leaves": LEAVES,
}
_SELDOM = 0.001
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scarce(db: Database, database_url: str, folder: Path) -> AsyncIterator[Running]:
    """A gateway that grants little, to the clients that its proxy names."""
    settings = gateway_settings(
        database_url,
        folder / "scarce",
        trusted_proxies=("127.0.0.1/32",),
        uploads_per_s=_SELDOM,
        upload_burst=1,
        submissions_per_s=_SELDOM,
        submission_burst=2,
        reads_per_s=_SELDOM,
        read_burst=2,
        max_leaf_lists=2,
        max_leaf_lists_per_ip=1,
    )
    async with running_gateway(settings, db) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody with an address of his own."""

    url: str
    address: str

    async def get(self, path: str) -> httpx.Response:
        return await self._request("GET", path)

    async def post(self, **form: Any) -> httpx.Response:
        return await self._request("POST", "/v1/proofs", **form)

    async def _request(self, method: str, path: str, **body: Any) -> httpx.Response:
        headers = {"X-Forwarded-For": self.address}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            return await http.request(method, self.url + path, headers=headers, **body)


def client_of(gateway: Running) -> Client:
    return Client(gateway.url, f"198.51.100.{next(_numbers)}")


async def submit(gateway: Running, user: Submitter, proof: Proof, nonce: int) -> httpx.Response:
    """From an address that sent nothing before."""
    return await client_of(gateway).post(**user.form(proof, nonce))


def assert_limited(answer: httpx.Response, what: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert what in answer.json()["detail"]


async def test_uploads__more_than_one_address_may__refused_and_no_other_address(scarce: Running) -> None:
    client = client_of(scarce)
    assert (await client.post(content=b"x")).status_code == 415
    assert_limited(await client.post(content=b"x"), "too many uploads")
    assert (await client_of(scarce).post(content=b"x")).status_code == 415


async def test_submissions__more_than_an_account_may__refused_from_any_address(
    scarce: Running, user: Submitter
) -> None:
    assert (await submit(scarce, user, risc0(), 0)).status_code == 201
    assert (await submit(scarce, user, risc0(), 0)).status_code == 200
    assert_limited(await submit(scarce, user, risc0("fib3_30_composite"), 1), "submissions of this account")
    assert (await client_of(scarce).get(f"/v1/accounts/{user.hex}/nonce")).json()["nonce"] == 1


async def test_submissions__one_was_rejected__counts_for_several(scarce: Running, user: Submitter) -> None:
    bad = replace(risc0(), public_inputs=b"other")
    assert (await submit(scarce, user, bad, 0)).status_code == 422
    assert_limited(await submit(scarce, user, risc0(), 1), "submissions of this account")


@pytest.mark.parametrize("path", READS.values(), ids=list(READS))
async def test_reads__more_than_one_address_may__refused(scarce: Running, path: str) -> None:
    client = client_of(scarce)
    assert [(await client.get(path)).status_code in (200, 404) for _ in range(2)] == [True, True]
    assert_limited(await client.get(path), "too many requests")


async def test_reads__all_of_the_api__are_among_the_tested(scarce: Running) -> None:
    paths = (await client_of(scarce).get("/openapi.json")).json()["paths"]
    found = {path for path, methods in paths.items() if "get" in methods and path.startswith("/v1/")}
    assert found == set(READS)


async def test_leaves__many_at_a_time__few_are_read(scarce: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    reading: asyncio.Queue[None] = asyncio.Queue()
    go_on = asyncio.Event()

    async def slow(_self: Records, root: bytes) -> Leaves:
        reading.put_nowait(None)
        await go_on.wait()
        return Leaves(system="sp1", root=root, leaf_count=1, commitments=(bytes(32),))

    monkeypatch.setattr(Records, "leaves", slow)
    client, other = client_of(scarce), client_of(scarce)
    async with asyncio.timeout(30):
        first = asyncio.create_task(client.get(LEAVES))
        await reading.get()
        assert_limited(await client.get(LEAVES), "lists of leaves")
        second = asyncio.create_task(other.get(LEAVES))
        await reading.get()
        refused = await client_of(scarce).get(LEAVES)
        assert (refused.status_code, refused.json()["code"]) == (503, "server_busy")
        assert int(refused.headers["retry-after"]) > 0
        go_on.set()
        assert [(await held).status_code for held in (first, second)] == [200, 200]
        assert (await client_of(scarce).get(LEAVES)).content == bytes(32)
