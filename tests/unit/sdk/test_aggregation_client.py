"""Waiting for an aggregation at a gateway that lies, is silent, or rejects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from aligned.chain.contracts import AggregationService
from aligned.core.errors import AlignedError, DependencyError, ProofError, ProtocolError
from aligned.sdk.aggregation import AggregationClient
from aligned.sdk.aggregation_models import read_receipt
from aligned.sdk.gateway_http import GatewayHttp
from aligned.sdk.network import DEVNET_AGGREGATION
from tests.unit.sdk.aggregations import receipt_fields

Answer = httpx.Response | Exception
ID = receipt_fields()["id"]


class Contract:
    """What the chain says of any root, the last answer for ever: recorded or not, revoked, or nothing at all."""

    def __init__(self, *answers: str) -> None:
        self._left = list(answers)

    async def aggregated_root(self, _root: bytes) -> SimpleNamespace | None:
        found = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if found == "silent":
            raise DependencyError("chain_unavailable", "no answer")
        return None if found == "none" else SimpleNamespace(revoked=found == "revoked")


@asynccontextmanager
async def client_of(*answers: Answer, roots: tuple[str, ...] = ("good",)) -> AsyncIterator[AggregationClient]:
    """A client of a gateway that gives these answers, the last one for ever, and of a chain with such a root."""
    left = list(answers)

    def handle(_request: httpx.Request) -> httpx.Response:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    async with AggregationClient(DEVNET_AGGREGATION) as client:
        client._gateway = GatewayHttp("http://gateway", httpx.MockTransport(handle))
        client._roots._service = cast(AggregationService, Contract(*roots))
        yield client


def ok(**changes: Any) -> httpx.Response:
    return httpx.Response(200, json=receipt_fields() | changes)


def on_the_way(state: str) -> httpx.Response:
    return ok(state=state, aggregation=None)


async def test_wait__silence_and_errors_and_states_on_the_way__goes_on_until_final() -> None:
    busy = httpx.Response(503, json={"code": "database_unavailable"})
    answers = (httpx.ConnectError("no"), busy, on_the_way("pending"), on_the_way("proving"), ok())
    async with client_of(*answers) as client:
        assert (await client.wait(ID, timeout_s=30)).state == "final"


async def test_wait__mined_is_enough__does_not_wait_for_final() -> None:
    async with client_of(ok(state="mined")) as client:
        assert (await client.wait(ID, until="mined", timeout_s=5)).state == "mined"
        with pytest.raises(DependencyError, match="state mined, wanted final"):
            await client.wait(ID, timeout_s=0.3)


@pytest.mark.parametrize(
    "lie",
    [
        lambda: ok(aggregation=None),
        lambda: httpx.Response(200, json=receipt_fields(path=[])),
        lambda: httpx.Response(200, json=receipt_fields(leaf_index=3)),
        lambda: httpx.Response(200, json=receipt_fields(root="0x" + "11" * 32)),
        lambda: ok(leaf="0x" + "22" * 32),
    ],
)
async def test_wait__final_without_a_path_that_holds__refused(lie: Callable[[], httpx.Response]) -> None:
    async with client_of(lie()) as client:
        with pytest.raises(ProofError, match=r"invalid_proof|not_aggregated"):
            await client.wait(ID, timeout_s=5)


async def test_wait__receipt_of_another_proof_under_the_same_id__refused() -> None:
    mine = read_receipt(json.dumps(receipt_fields(1)))
    async with client_of(ok()) as client:
        with pytest.raises(ProofError, match="other_proof"):
            await client.wait(mine, timeout_s=5)


async def test_wait__rejected__the_gateways_code_and_reason() -> None:
    rejected = ok(state="rejected", aggregation=None, reject={"code": "invalid_proof", "reason": "poison"})
    async with client_of(rejected) as client:
        with pytest.raises(ProofError, match="invalid_proof: poison"):
            await client.wait(ID, timeout_s=5)


@pytest.mark.parametrize("state", ["mined", "final"])
@pytest.mark.parametrize(
    ("said", "reason"),
    [("revoked", "is revoked on chain"), ("none", "has no root"), ("silent", "chain_unavailable")],
)
async def test_wait__root_that_the_chain_does_not_have_or_has_revoked__never_success(
    state: str, said: str, reason: str
) -> None:
    async with client_of(ok(state=state), roots=(said,)) as client:
        with pytest.raises(DependencyError, match=rf"timeout.*{reason}"):
            await client.wait(ID, until="mined", timeout_s=0.5)


async def test_wait__root_revoked_and_the_proof_then_rejected__says_root_revoked() -> None:
    rejected = ok(state="rejected", reject={"code": "root_revoked", "reason": "revoked by the guardian"})
    async with client_of(ok(state="mined"), rejected, roots=("revoked",)) as client:
        with pytest.raises(ProofError, match="root_revoked"):
            await client.wait(ID, until="mined", timeout_s=30)


async def test_wait__node_behind_or_silent__success_when_it_has_the_root() -> None:
    async with client_of(ok(state="mined"), roots=("silent", "none", "good")) as client:
        assert (await client.wait(ID, until="mined", timeout_s=30)).state == "mined"


@pytest.mark.parametrize("proof_id", ["", "../../v1/status", "6f1c", "x" * 5_000])
async def test_receipt__id_that_is_none__refused_before_anything_is_asked(proof_id: str) -> None:
    async with client_of(AssertionError("the gateway was asked")) as client:
        with pytest.raises(ProtocolError, match="unknown_proof"):
            await client.receipt(proof_id)


async def test_signing_calls__client_without_a_signer__say_so() -> None:
    async with client_of(ok()) as client:
        for call in (client.deposit(), client.quota(), client.nonce(), client.receipts()):
            with pytest.raises(AlignedError, match="no signer"):
                await call


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "server_busy")])
async def test_wait__gateway_lets_nobody_wait__asks_plainly(status: int, code: str) -> None:
    asked: list[bool] = []

    def handle(request: httpx.Request) -> httpx.Response:
        waits = "wait_s" in request.url.params
        asked.append(waits)
        if waits:
            return httpx.Response(status, json={"code": code}, headers={"Retry-After": "1"})
        return ok() if asked.count(False) == 2 else on_the_way("proving")

    async with AggregationClient(DEVNET_AGGREGATION) as client:
        client._gateway = GatewayHttp("http://gateway", httpx.MockTransport(handle))
        client._roots._service = cast(AggregationService, Contract("good"))
        assert (await client.wait(ID, timeout_s=30)).state == "final"
    assert asked == [True, False, True, False]
