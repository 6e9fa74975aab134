"""HTTP API of the aggregator."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse

from aligned.bls_aggregator.ballots import BallotBox
from aligned.bls_aggregator.intake import ACCEPTED, Intake
from aligned.bls_aggregator.metrics import AggregatorMetrics
from aligned.bls_aggregator.tasks import TaskStore
from aligned.core.errors import AlignedError, ConflictError, ProtocolError
from aligned.limits import RateLimiter
from aligned.serving import BodyLimit, Readiness, create_app
from aligned.settings import AggregatorSettings
from aligned.wire.aggregator import RATE_LIMITED, UNKNOWN_TASK, RefusalMessage, SignatureMessage, hex_of

BatchId = Annotated[str, PathParameter(pattern="^0x[0-9a-fA-F]{64}$", description="keccak(root ‖ sender)")]


def build_app(
    intake: Intake,
    tasks: TaskStore,
    ballots: BallotBox,
    metrics: AggregatorMetrics,
    settings: AggregatorSettings,
    ready: Readiness,
) -> FastAPI:
    """The application; every error is problem+json with a stable code."""
    gate = _Gate(settings)
    app = create_app("Aligned BLS aggregator", ready, metrics.render)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)

    async def accept(request: Request, vote: SignatureMessage | RefusalMessage) -> JSONResponse:
        gate.admit_vote(request, vote.operator_id)
        try:
            status = await intake.accept(vote)
        except AlignedError as error:
            metrics.votes.labels(error.code).inc()
            raise
        metrics.votes.labels(status).inc()
        return JSONResponse({"status": status}, 202 if status == ACCEPTED else 200)

    @app.post("/v1/signatures", dependencies=[Depends(gate.admit)], status_code=202)
    async def signatures(request: Request, vote: SignatureMessage) -> JSONResponse:
        """An operator's signature over a valid batch."""
        return await accept(request, vote)

    @app.post("/v1/refusals", dependencies=[Depends(gate.admit)], status_code=202)
    async def refusals(request: Request, vote: RefusalMessage) -> JSONResponse:
        """An operator's signed refusal, with the first failing leaf."""
        return await accept(request, vote)

    @app.get("/v1/tasks/{batch_id}", dependencies=[Depends(gate.admit)])
    async def task(batch_id: BatchId) -> dict[str, Any]:
        """Where the newest task of a batch stands, and who said what."""
        row = await tasks.newest(bytes.fromhex(batch_id[2:]))
        if row is None:
            raise ProtocolError(UNKNOWN_TASK, "no such task", status=404, retry_after_s=1)
        return await _describe(row, ballots)

    return app


async def _describe(row: dict[str, Any], ballots: BallotBox) -> dict[str, Any]:
    tally = await ballots.tally(row["batch_id"], row["task_block"])
    refusals = [
        {
            "operator_id": hex_of(operator_id),
            "leaf_index": refusal.leaf_index,
            "leaf": hex_of(refusal.leaf or b""),
            "reason": refusal.reason,
            "signature": hex_of(refusal.signature),
        }
        for operator_id, refusal in tally.refusals.items()
    ]
    tx_hash = row["respond_tx_hash"]
    return {
        "batch_id": hex_of(row["batch_id"]),
        "batch_root": hex_of(row["batch_root"]),
        "sender": hex_of(row["sender"]),
        "task_block": row["task_block"],
        "state": row["state"],
        "last_code": row["last_code"],
        "last_response_block": row["last_response_block"],
        "operators": len(tally.operators),
        # As text: JSON numbers end at 2^53 for many readers.
        "total_stake": str(tally.total_stake),
        "signed_stake": str(tally.signed_stake),
        "refused_stake": str(tally.refused_stake),
        "signers": [hex_of(operator_id) for operator_id in tally.signatures],
        "refusals": refusals,
        "respond_tx_hash": None if tx_hash is None else hex_of(tx_hash),
        "answered_block": row["answered_block"],
    }


class _Gate:
    """Rate limits. Votes count by operator and address: nobody can use up another one's allowance."""

    def __init__(self, settings: AggregatorSettings) -> None:
        self._requests = RateLimiter(settings.requests_per_s, settings.request_burst)
        self._votes = RateLimiter(settings.votes_per_s, settings.vote_burst)

    async def admit(self, request: Request) -> None:
        """Raises ConflictError rate_limited."""
        _check(self._requests.take(_address(request)))

    def admit_vote(self, request: Request, operator_id: bytes) -> None:
        """Raises ConflictError rate_limited."""
        _check(self._votes.take((_address(request), operator_id)))


def _check(wait_s: float) -> None:
    if wait_s > 0:
        raise ConflictError(RATE_LIMITED, "too many requests", status=429, retry_after_s=math.ceil(wait_s))


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host
