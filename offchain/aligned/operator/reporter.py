"""Brings votes to the aggregators, each by itself, until each has accepted them or the response window is over."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import httpx
import structlog
from pydantic_core import from_json

from aligned.chain.contracts import BatchStatus, ServiceManager
from aligned.core.errors import INTERNAL_ERROR, DependencyError, InvariantError
from aligned.loops import Backoff
from aligned.observability import redact_url
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.reports import Report, ReportStore
from aligned.wire.aggregator import RATE_LIMITED, TASK_CLOSED, UNKNOWN_TASK, WRONG_TASK_BLOCK

log = structlog.get_logger(__name__)

UNREACHABLE: Final = "aggregator_unreachable"
WINDOW_OVER: Final = "window_over"
# Answers that say "not now": the aggregator is behind, busy, or has not seen a reorganisation yet.
_PASSING: Final = frozenset({UNKNOWN_TASK, RATE_LIMITED, WRONG_TASK_BLOCK})
_OVER: Final = frozenset({BatchStatus.VERIFIED, BatchStatus.EXPIRED, BatchStatus.REVOKED})
_MAX_RETRY_AFTER_S: Final = 60.0
_MAX_ANSWER_BYTES: Final = 65_536
# A report is due again so long after its request must have ended, should this process have died with it.
_LEASE_MARGIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Time for one request to an aggregator, answer included, and the pauses after failures."""

    timeout_s: float
    backoff: Backoff


class Reporter:
    """Sends the reports for one aggregator; several `step`s may run at a time.

    An aggregator that does not answer is left alone for growing pauses, and then asked with one report.
    """

    def __init__(
        self,
        url: str,
        reports: ReportStore,
        operator_id: bytes,
        http: httpx.AsyncClient,
        patience: Patience,
        metrics: OperatorMetrics,
    ) -> None:
        self._url = url
        self._reports = reports
        self._operator_id = operator_id
        self._http = http
        self._patience = patience
        self._metrics = metrics
        self._reachable = metrics.aggregator_reachable.labels(redact_url(url))
        self._in_flight = 0
        self._silences = 0
        self._rest_until = 0.0

    async def step(self) -> bool:
        """Sends the next due report; False when there is none, or the aggregator is left alone."""
        if self._rests():
            return False
        self._in_flight += 1
        try:
            return await self._send_next()
        finally:
            self._in_flight -= 1

    def _rests(self) -> bool:
        return time.monotonic() < self._rest_until or (self._silences > 0 and self._in_flight > 0)

    async def _send_next(self) -> bool:
        report = await self._reports.claim(self._url, self._patience.timeout_s + _LEASE_MARGIN_S)
        if report is None:
            return False
        try:
            code, retry_after_s = await self._post(report)
        except (DependencyError, InvariantError):
            raise
        except Exception:
            # An aggregator's answer may be anything; it must not end the operator, nor the reports to others.
            log.exception("report_broke", aggregator=self._url)
            code, retry_after_s = INTERNAL_ERROR, self._patience.backoff.after(report.attempts)
        self._metrics.reports.labels(code).inc()
        await self._write(report, code, retry_after_s)
        return True

    async def _write(self, report: Report, code: str, retry_after_s: float | None) -> None:
        names = {"batch_root": "0x" + report.batch_root.hex(), "aggregator": self._url, "code": code}
        if code in ("accepted", TASK_CLOSED):
            await self._reports.settle(report, "accepted", code)
            log.info("vote_delivered", **names)
        elif retry_after_s is None:
            await self._reports.settle(report, "rejected", code)
            log.error("vote_rejected", **names)
        else:
            await self._reports.retry(report, code, retry_after_s)

    async def _post(self, report: Report) -> tuple[str, float | None]:
        """Code of the answer, and the pause before another attempt (None = the answer is final)."""
        backoff_s = self._patience.backoff.after(report.attempts)
        try:
            async with asyncio.timeout(self._patience.timeout_s):
                answer, body = await self._exchange(report)
        except (httpx.HTTPError, TimeoutError) as error:
            self._was_silent(error)
            return UNREACHABLE, backoff_s
        self._silences = 0
        self._reachable.set(1)
        if answer.is_success:
            return "accepted", None
        code = _problem_code(body)
        # Without a code it is not the aggregator that refuses, but something before it.
        if code is None or answer.is_server_error or code in _PASSING:
            return code or f"http_{answer.status_code}", max(backoff_s, _retry_after_s(answer))
        return code, None

    async def _exchange(self, report: Report) -> tuple[httpx.Response, bytes]:
        """The answer and the beginning of its body: nobody makes us read for ever, or take all memory."""
        message = report.message(self._operator_id).model_dump(mode="json")
        body = bytearray()
        async with self._http.stream("POST", self._url.rstrip("/") + report.path(), json=message) as answer:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MAX_ANSWER_BYTES:
                    break
        return answer, bytes(body[:_MAX_ANSWER_BYTES])

    def _was_silent(self, error: Exception) -> None:
        """Requests that were on their way together count once."""
        if time.monotonic() >= self._rest_until:
            self._silences += 1
            self._rest_until = time.monotonic() + self._patience.backoff.after(self._silences)
        self._reachable.set(0)
        log.warning("aggregator_unreachable", aggregator=self._url, error=type(error).__name__)


class Expiry:
    """Ends reports of batches that need no votes any more, also those that an aggregator never answered."""

    def __init__(self, reports: ReportStore, manager: ServiceManager, least_age_s: float) -> None:
        self._reports = reports
        self._manager = manager
        self._least_age_s = least_age_s

    async def step(self) -> bool:
        """Looks at the oldest task with reports that wait; True when it ended them."""
        oldest = await self._reports.oldest_waiting(self._least_age_s)
        if oldest is None or await self._manager.batch_status(oldest.batch_root, oldest.sender) not in _OVER:
            return False
        await self._reports.expire(oldest, WINDOW_OVER)
        log.warning("vote_expired", batch_root="0x" + oldest.batch_root.hex(), task_block=oldest.task_block)
        return True


def _problem_code(body: bytes) -> str | None:
    try:
        code = from_json(body)["code"]  # bounds depth, unlike the standard library
    except (ValueError, KeyError, TypeError):
        code = None
    return code if isinstance(code, str) and 0 < len(code) <= 64 else None


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(_MAX_RETRY_AFTER_S, float(text)) if text.isdecimal() else 0.0
