"""The HTTP API of the gateway (docs/spec/gateway.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from aligned.core.errors import MALFORMED_MESSAGE, AlignedError
from aligned.gateway.api_page import api_page
from aligned.gateway.body import while_there
from aligned.gateway.descriptions import API, SUBMISSION, problems
from aligned.gateway.gate import Gate
from aligned.gateway.metrics import GatewayMetrics
from aligned.gateway.proofs import ProofReader
from aligned.gateway.records import Records
from aligned.gateway.refusals import refusal
from aligned.gateway.status import StatusPage
from aligned.gateway.submit import Submissions
from aligned.gateway.waits import Hold
from aligned.serving import Readiness, create_app
from aligned.settings import GatewaySettings
from aligned.wire.gateway import (
    Aggregation,
    AggregationPage,
    Leaves,
    NonceAnswer,
    ProofState,
    QuotaAnswer,
    Receipt,
    ReceiptPage,
    Status,
    System,
    has_reached,
)

_OCTETS = "application/octet-stream"
_ASK_LATER = {"Retry-After": "5"}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
AddressPath = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{40}$", description="account")]
AddressQuery = Annotated[str, Query(pattern="^0x[0-9a-fA-F]{40}$", description="account")]
RootPath = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{64}$", description="root of an aggregation")]
Limit = Annotated[int, Query(ge=1, le=100, description="most entries of the page")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next` of the page before")]
Until = Literal["pending", "proving", "submitted", "mined", "final"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes call."""

    settings: GatewaySettings
    gate: Gate
    submissions: Submissions
    proofs: ProofReader
    records: Records
    status: StatusPage
    metrics: GatewayMetrics
    ready: Readiness


def build_app(parts: Parts) -> FastAPI:
    """The application; every error is problem+json with a stable code."""
    app = create_app("Aligned gateway", parts.ready, parts.metrics.render)
    app.description = API

    async def admit(request: Request) -> None:
        parts.gate.admit_read(parts.gate.names.of(request))

    reads: dict[str, Any] = {"dependencies": [Depends(admit)]}
    _add_submission(app, parts)
    _add_proofs(app, parts, reads)
    _add_accounts(app, parts, reads)
    _add_aggregations(app, parts, reads)

    @app.get("/v1/status", response_model=Status, responses=problems(429), **reads)
    async def status() -> Response:
        """Chain, contracts, programs, limits and price."""
        return _json(await parts.status.read())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi()))

    return app


def _add_submission(app: FastAPI, parts: Parts) -> None:
    @app.post("/v1/proofs", **SUBMISSION)
    async def submit(request: Request) -> Response:
        """Submits a proof. Sending the same proof again is free and returns the same receipt."""
        answered = await parts.submissions.submit(request)
        return _json(answered.receipt, 201 if answered.created else 200)


def _add_proofs(app: FastAPI, parts: Parts, reads: dict[str, Any]) -> None:
    @app.get("/v1/proofs", response_model=ReceiptPage, responses=problems(400, 429), **reads)
    async def proofs(
        address: AddressQuery, state: ProofState | None = None, limit: Limit = 20, cursor: Cursor = None
    ) -> Response:
        """The proofs of an account, newest first. With `state` a page may be short and still have a next one."""
        return _json(await parts.records.receipts(_bytes(address), state, limit, cursor))

    @app.get("/v1/proofs/{proof_id}", response_model=Receipt, responses=problems(400, 404, 429), **reads)
    async def proof(
        request: Request,
        proof_id: UUID,
        wait_s: Annotated[int, Query(ge=0, description="wait so long for `until` (seconds)")] = 0,
        until: Annotated[Until, Query(description="or until it is rejected")] = "final",
    ) -> Response:
        """The receipt of a proof, at once or when it is so far; at once too while too many wait: see Retry-After."""
        receipt = await parts.proofs.receipt(proof_id)
        if not wait_s or has_reached(receipt.state, until):
            return _json(receipt)
        with ExitStack() as stack:
            try:
                held = stack.enter_context(
                    parts.gate.waits.hold(parts.gate.names.of(request), receipt.address)
                )
            except AlignedError:
                return _json(receipt, headers=_ASK_LATER)
            wait_s = min(wait_s, parts.settings.max_wait_s)
            return _json(await while_there(request, parts.proofs.wait(proof_id, until, wait_s, held)))

    @app.get("/v1/proofs/{proof_id}/events", responses=problems(400, 404, 429), **reads)
    async def events(
        request: Request, proof_id: UUID, last_event_id: Annotated[str | None, Header(max_length=20)] = None
    ) -> Response:
        """Server-sent events, one for each change of state; ends when the proof is final or rejected.

        204 when `Last-Event-ID` was the end: browsers then stop asking.
        """
        if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdecimal()):
            raise refusal(MALFORMED_MESSAGE, "Last-Event-ID: not one of ours")
        after = int(last_event_id or 0)
        receipt = await parts.proofs.receipt(proof_id)
        if await parts.proofs.has_ended(receipt, after):
            return Response(status_code=204)
        place = parts.gate.waits.hold(parts.gate.names.of(request), receipt.address)
        return _HeldStream(
            place, lambda held: parts.proofs.events(proof_id, after, parts.settings.max_stream_s, held)
        )


def _add_accounts(app: FastAPI, parts: Parts, reads: dict[str, Any]) -> None:
    @app.get(
        "/v1/accounts/{address}/nonce", response_model=NonceAnswer, responses=problems(400, 429), **reads
    )
    async def nonce(address: AddressPath) -> Response:
        """The nonce that the next submission must have."""
        return _json(await parts.records.nonce(_bytes(address)))

    @app.get(
        "/v1/accounts/{address}/quota", response_model=QuotaAnswer, responses=problems(400, 429), **reads
    )
    async def quota(address: AddressPath) -> Response:
        """What an account may still submit; zeros for one that never paid."""
        return _json(await parts.records.quota(_bytes(address)))


def _add_aggregations(app: FastAPI, parts: Parts, reads: dict[str, Any]) -> None:
    @app.get("/v1/aggregations", response_model=AggregationPage, responses=problems(400, 429), **reads)
    async def aggregations(
        system: System | None = None, limit: Limit = 20, cursor: Cursor = None
    ) -> Response:
        """Aggregations that are on chain, newest first."""
        return _json(await parts.records.aggregations(system, limit, cursor))

    @app.get(
        "/v1/aggregations/{root}", response_model=Aggregation, responses=problems(400, 404, 429), **reads
    )
    async def aggregation(root: RootPath) -> Response:
        """One aggregation, in whatever state, with its history."""
        return _json(await parts.records.aggregation(_bytes(root)))

    @app.get(
        "/v1/aggregations/{root}/leaves",
        response_model=Leaves,
        responses=problems(400, 404, 409, 429) | {200: {"content": {_OCTETS: {}}}},
        **reads,
    )
    async def leaves(request: Request, root: RootPath) -> Response:
        """All commitments in leaf order: 32 bytes each, or JSON for whoever accepts application/json."""
        client = parts.gate.names.of(request)
        # What it costs is known afterwards: until then a client's other requests would all be let in.
        bounds = client.bounds(parts.settings.max_leaf_lists_per_ip)
        with parts.gate.leaf_lists.take(bounds, 1, "lists of leaves"):
            found = await parts.records.leaves(_bytes(root))
            parts.gate.charge_read(client, found.leaf_count)
            if "application/json" in request.headers.get("accept", ""):
                return _json(found, headers=_FOREVER)
            return Response(b"".join(found.commitments), media_type=_OCTETS, headers=_FOREVER)


class _HeldStream(StreamingResponse):
    """An event stream that has a place while it lasts."""

    def __init__(
        self, place: AbstractContextManager[Hold], events: Callable[[Hold], AsyncIterator[bytes]]
    ) -> None:
        super().__init__((), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._place = place
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place as held:
            self.body_iterator = self._events(held)
            await super().__call__(scope, receive, send)


def _json(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(answer.model_dump_json(), status, headers, media_type="application/json")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
