"""The HTTP face of the batcher, on the WebSocket's port: where is my proof, what does one cost, is it up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from websockets.http11 import Request, Response

from aligned.batcher import queue
from aligned.batcher.entry import Entry
from aligned.batcher.http_replies import json_reply, refusal
from aligned.batcher.market import MarketFeed
from aligned.batcher.model import State
from aligned.batcher.questions import ANSWER_TIMEOUT_S, Questions
from aligned.batcher.queue import Stored
from aligned.batcher.recent import Recent
from aligned.batcher.rules import QueueTotals
from aligned.clients import Client
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
# What load balancers ask, from one address; neither takes the database more than now and then.
_UNCOUNTED = frozenset({"/healthz", "/readyz"})
# Strangers never have all of the database's connections.
_READS_AT_A_TIME = 4
_KEPT_S = 0.5

_PAGE_TIMEOUT_S = ANSWER_TIMEOUT_S
_TOO_SLOW = DependencyError(TIMEOUT, "chain or database do not answer in time")
_BUG = AlignedError(INTERNAL_ERROR, "a bug of the batcher")


class BatcherHttp:
    """Answers GET requests that are no WebSocket handshake. Metrics have a port of their own.

    Args:
        checks: each raises a DependencyError while the batcher is not ready.
    """

    def __init__(
        self,
        db: Database,
        questions: Questions,
        entry: Entry,
        market: MarketFeed,
        payment_service: bytes,
        fee_batch_proofs: int,
        checks: Sequence[Callable[[], None]],
    ) -> None:
        self._db = db
        self._questions = questions
        self._market = market
        self._entry = entry
        self._payment_service = payment_service
        self._fee_batch_proofs = fee_batch_proofs
        self._checks = checks
        self._reads = asyncio.Semaphore(_READS_AT_A_TIME)
        self._totals = Recent(self._read_totals, _KEPT_S)
        self._database = Recent(self._look_at_database, _KEPT_S)

    async def handle(self, request: Request, client: Client) -> Response:
        """The response to a request."""
        path = request.path.partition("?")[0]
        try:
            if path not in _UNCOUNTED:
                self._entry.page(client)
            async with asyncio.timeout(_PAGE_TIMEOUT_S):
                return await self._route(path, client)
        except TimeoutError:
            return refusal(_TOO_SLOW)
        except AlignedError as error:
            return refusal(error)
        except Exception:
            log.exception("page_failed", path=path[:80])
            return refusal(_BUG, HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _route(self, path: str, client: Client) -> Response:
        if match := _PROOF_PATH.match(path):
            return json_reply(await self._proof(bytes.fromhex(match[1])))
        if match := _OWN_PROOF_PATH.match(path):
            own = (bytes.fromhex(match[2]), int(match[3]))
            return json_reply(await self._proof(bytes.fromhex(match[1]), own))
        if match := _NONCE_PATH.match(path):
            return json_reply(await self._nonce(bytes.fromhex(match[1]), client))
        routes: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "/v1/quote": self._quote,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
        }
        if path in routes:
            return json_reply(await routes[path]())
        if path.startswith(("/v1/proofs/", "/v1/nonce/")):
            raise AlignedError(MALFORMED_MESSAGE, "expected a 32-byte leaf, or a 20-byte address, as 0x-hex")
        return refusal(AlignedError("not_found", f"nothing at {path[:80]}"), HTTPStatus.NOT_FOUND)

    async def _proof(self, leaf: bytes, own: tuple[bytes, int] | None = None) -> dict[str, Any]:
        """The newest submissions of a leaf, or only those of one sender and nonce."""
        async with self._reads, self._db.transaction() as conn:
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

    async def _nonce(self, address: bytes, client: Client) -> dict[str, Any]:
        async with self._reads:
            nonce = await self._questions.next_nonce(address, client)
        return {"address": to_hex(address), "nonce": nonce.queued, "nonce_on_chain": nonce.on_chain}

    async def _quote(self) -> dict[str, Any]:
        market, waiting = self._market.current(), await self._totals.get()
        return {
            "block": market.block,
            "gas_price_wei": market.gas_price_wei,
            "min_max_fee_wei": market.min_max_fee_wei(self._fee_batch_proofs),
            "fee_per_proof_wei": {str(n): market.fee_per_proof_wei(n) for n in _QUOTED_BATCHES},
            "queue": {"proofs": waiting.proofs, "bytes": waiting.size_bytes},
        }

    async def _healthz(self) -> dict[str, Any]:
        watchdog = current.get()
        if watchdog is not None:
            watchdog.check()
        return {"status": "ok"}

    async def _readyz(self) -> dict[str, Any]:
        return {"status": "ready"} | await self.ready()

    async def ready(self) -> dict[str, object]:
        """Details for readiness. Raises AlignedError while the batcher cannot work."""
        market = self._market.current()
        for check in self._checks:
            check()
        await self._database.get()
        return {"block": market.block}

    async def _read_totals(self) -> QueueTotals:
        async with self._db.transaction() as conn:
            return await queue.totals(conn)

    async def _look_at_database(self) -> None:
        async with self._db.transaction() as conn:
            await conn.execute("SELECT 1")
