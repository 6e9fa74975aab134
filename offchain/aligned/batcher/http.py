"""The HTTP face of the batcher, on the WebSocket's port: where is my proof, what does one cost, is it up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from aligned.batcher import backlog, queue
from aligned.batcher.market import MarketFeed
from aligned.batcher.metrics import BatcherMetrics
from aligned.batcher.model import State
from aligned.batcher.questions import ANSWER_TIMEOUT_S, Questions
from aligned.batcher.queue import Stored
from aligned.core.batch import batch_id
from aligned.core.errors import INTERNAL_ERROR, MALFORMED_MESSAGE, TIMEOUT, AlignedError, DependencyError
from aligned.core.finality import confirmations
from aligned.storage.postgres import Database
from aligned.watchdog import current
from aligned.wire.fields import to_hex

log = structlog.get_logger(__name__)
_PROOF_PATH = re.compile(r"/v1/proofs/0x([0-9a-fA-F]{64})\Z")
_OWN_PROOF_PATH = re.compile(r"/v1/proofs/0x([0-9a-fA-F]{64})/0x([0-9a-fA-F]{40})/([0-9]{1,19})\Z")
_NONCE_PATH = re.compile(r"/v1/nonce/0x([0-9a-fA-F]{40})\Z")
_QUOTED_BATCHES = (1, 10, 32, 100)
_MAX_SUBMISSIONS = 32
_PROBLEM = "application/problem+json"

_PAGE_TIMEOUT_S = ANSWER_TIMEOUT_S
_TOO_SLOW = DependencyError(TIMEOUT, "chain or database do not answer in time")
_BUG = AlignedError(INTERNAL_ERROR, "a bug of the batcher")

Reply = tuple[HTTPStatus, str, bytes]


class BatcherHttp:
    """Answers GET requests that are no WebSocket handshake.

    Args:
        checks: each raises a DependencyError while the batcher is not ready.
    """

    def __init__(
        self,
        db: Database,
        questions: Questions,
        market: MarketFeed,
        metrics: BatcherMetrics,
        payment_service: bytes,
        fee_batch_proofs: int,
        checks: Sequence[Callable[[], None]],
    ) -> None:
        self._db = db
        self._questions = questions
        self._market = market
        self._metrics = metrics
        self._payment_service = payment_service
        self._fee_batch_proofs = fee_batch_proofs
        self._checks = checks

    async def handle(self, request: Request) -> Response:
        """The response to a request."""
        path = request.path.partition("?")[0]
        try:
            async with asyncio.timeout(_PAGE_TIMEOUT_S):
                status, content_type, body = await self._route(path)
        except TimeoutError:
            status, content_type, body = _problem(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_SLOW)
        except DependencyError as error:
            status, content_type, body = _problem(HTTPStatus.SERVICE_UNAVAILABLE, error)
        except AlignedError as error:
            status, content_type, body = _problem(HTTPStatus.BAD_REQUEST, error)
        except Exception:
            log.exception("page_failed", path=path[:80])
            status, content_type, body = _problem(HTTPStatus.INTERNAL_SERVER_ERROR, _BUG)
        headers = Headers(
            {"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
        )
        return Response(status.value, status.phrase, headers, body)

    async def _route(self, path: str) -> Reply:
        if match := _PROOF_PATH.match(path):
            return _json(await self._proof(bytes.fromhex(match[1])))
        if match := _OWN_PROOF_PATH.match(path):
            return _json(await self._proof(bytes.fromhex(match[1]), (bytes.fromhex(match[2]), int(match[3]))))
        if match := _NONCE_PATH.match(path):
            return _json(await self._nonce(bytes.fromhex(match[1])))
        routes: dict[str, Callable[[], Awaitable[Reply]]] = {
            "/v1/quote": self._quote,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._render_metrics,
        }
        if path in routes:
            return await routes[path]()
        if path.startswith(("/v1/proofs/", "/v1/nonce/")):
            raise AlignedError(MALFORMED_MESSAGE, "expected a 32-byte leaf, or a 20-byte address, as 0x-hex")
        return _problem(HTTPStatus.NOT_FOUND, AlignedError("not_found", f"nothing at {path[:80]}"))

    async def _proof(self, leaf: bytes, own: tuple[bytes, int] | None = None) -> dict[str, Any]:
        """The newest submissions of a leaf, or only those of one sender and nonce."""
        async with self._db.transaction() as conn:
            found = await queue.by_leaf(conn, leaf, _MAX_SUBMISSIONS, own)
            submissions = [
                self._submission(
                    stored, await queue.position(conn, stored.id) if stored.state == State.QUEUED else None
                )
                for stored in found
            ]
        return {"leaf": to_hex(leaf), "submissions": submissions}

    def _submission(self, stored: Stored, position: int | None) -> dict[str, Any]:
        reason = stored.reason_code if stored.reason is None else f"{stored.reason_code}: {stored.reason}"
        entries: dict[str, Any] = {
            "sender": to_hex(stored.sender),
            "nonce": stored.nonce,
            "state": stored.state,
            "depth": stored.depth,
            "confirmations": self._confirmations(stored),
            "position": position,
            "deadline": stored.deadline_s,
            "receipt_signature": to_hex(stored.receipt_signature),
            "reason": reason,
        }
        return entries | self._inclusion(stored)

    def _confirmations(self, stored: Stored) -> int | None:
        if not stored.is_included:
            return None
        return confirmations(stored.task_block, self._market.latest_block())

    def _inclusion(self, stored: Stored) -> dict[str, Any]:
        names = ("batch_root", "index", "path", "batch_id", "tx_hash", "task_block", "sender_address")
        if not stored.is_included or stored.root is None or stored.path is None:
            return dict.fromkeys(names)
        values = (
            to_hex(stored.root),
            stored.batch_index,
            to_hex(stored.path),
            to_hex(batch_id(stored.root, self._payment_service)),
            None if stored.tx_hash is None else to_hex(stored.tx_hash),
            stored.task_block,
            to_hex(self._payment_service),
        )
        return dict(zip(names, values, strict=True))

    async def _nonce(self, address: bytes) -> dict[str, Any]:
        nonce = await self._questions.next_nonce(address)
        return {"address": to_hex(address), "nonce": nonce.queued, "nonce_on_chain": nonce.on_chain}

    async def _quote(self) -> Reply:
        market = self._market.current()
        async with self._db.transaction() as conn:
            waiting = await queue.totals(conn)
        return _json(
            {
                "block": market.block,
                "gas_price_wei": market.gas_price_wei,
                "min_max_fee_wei": market.min_max_fee_wei(self._fee_batch_proofs),
                "fee_per_proof_wei": {str(n): market.fee_per_proof_wei(n) for n in _QUOTED_BATCHES},
                "queue": {"proofs": waiting.proofs, "bytes": waiting.size_bytes},
            }
        )

    async def _healthz(self) -> Reply:
        watchdog = current.get()
        if watchdog is not None:
            watchdog.check()
        return _json({"status": "ok"})

    async def _readyz(self) -> Reply:
        market = self._market.current()
        for check in self._checks:
            check()
        async with self._db.transaction() as conn:
            await conn.execute("SELECT 1")
        return _json({"status": "ready", "block": market.block})

    async def _render_metrics(self) -> Reply:
        async with self._db.transaction() as conn:
            self._metrics.queue(await queue.totals(conn), await queue.oldest_age_s(conn))
            self._metrics.backlog(await backlog.read(conn))
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, self._metrics.render()


def _json(value: dict[str, Any]) -> Reply:
    return HTTPStatus.OK, "application/json", json.dumps(value).encode()


def _problem(status: HTTPStatus, error: AlignedError) -> Reply:
    body = {
        "type": "about:blank",
        "title": error.code.replace("_", " "),
        "status": status.value,
        "code": error.code,
        "detail": error.message,
    }
    return status, _PROBLEM, json.dumps(body).encode()
