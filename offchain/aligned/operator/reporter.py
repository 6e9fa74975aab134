"""Brings votes to the aggregators, until each has accepted them or the response window is over."""

from __future__ import annotations

from typing import Final

import httpx
import structlog
from pydantic_core import from_json

from aligned.chain.contracts import BatchStatus, ServiceManager
from aligned.core.errors import INTERNAL_ERROR, DependencyError, InvariantError
from aligned.loops import Backoff
from aligned.operator.metrics import OperatorMetrics
from aligned.operator.reports import Report, ReportStore
from aligned.wire.aggregator import RATE_LIMITED, TASK_CLOSED, UNKNOWN_TASK, WRONG_TASK_BLOCK

log = structlog.get_logger(__name__)

UNREACHABLE: Final = "aggregator_unreachable"
WINDOW_OVER: Final = "window_over"
# Answers that say "not now": the aggregator is behind, busy, or has not seen a reorganisation yet.
_PASSING: Final = frozenset({UNKNOWN_TASK, RATE_LIMITED, WRONG_TASK_BLOCK})
_MAX_RETRY_AFTER_S: Final = 60.0


class Reporter:
    """Sends one report a step.

    Args:
        http: shared client; its timeout bounds every request.
    """

    def __init__(
        self,
        reports: ReportStore,
        manager: ServiceManager,
        operator_id: bytes,
        http: httpx.AsyncClient,
        backoff: Backoff,
        metrics: OperatorMetrics,
    ) -> None:
        self._reports = reports
        self._manager = manager
        self._operator_id = operator_id
        self._http = http
        self._backoff = backoff
        self._metrics = metrics

    async def step(self) -> bool:
        """Sends the next due report; False when there is none."""
        report = await self._reports.claim(self._backoff.longest_s)
        if report is None:
            return False
        try:
            code, retry_after_s = await self._post(report)
        except (DependencyError, InvariantError):
            raise
        except Exception:
            # An aggregator's answer may be anything; it must not end the operator, nor the reports to others.
            log.exception("report_broke", aggregator=report.aggregator_url)
            code, retry_after_s = INTERNAL_ERROR, self._backoff.after(report.attempts)
        self._metrics.reports.labels(code).inc()
        names = {
            "batch_root": "0x" + report.batch_root.hex(),
            "aggregator": report.aggregator_url,
            "code": code,
        }
        if code in ("accepted", TASK_CLOSED):
            await self._reports.settle(report, "accepted", code)
            log.info("vote_delivered", **names)
        elif retry_after_s is None:
            await self._reports.settle(report, "rejected", code)
            log.error("vote_rejected", **names)
        elif await self._is_over(report):
            await self._reports.settle(report, "expired", WINDOW_OVER)
            log.warning("vote_expired", **names)
        else:
            await self._reports.retry(report, code, retry_after_s)
        return True

    async def _is_over(self, report: Report) -> bool:
        return await self._manager.batch_status(report.batch_root, report.sender) is not BatchStatus.PENDING

    async def _post(self, report: Report) -> tuple[str, float | None]:
        """Code of the answer, and the pause before another attempt (None = the answer is final)."""
        backoff_s = self._backoff.after(report.attempts)
        message = report.message(self._operator_id).model_dump(mode="json")
        try:
            answer = await self._http.post(report.aggregator_url.rstrip("/") + report.path(), json=message)
        except httpx.HTTPError as error:
            log.warning(
                "aggregator_unreachable", aggregator=report.aggregator_url, error=type(error).__name__
            )
            return UNREACHABLE, backoff_s
        if answer.is_success:
            return "accepted", None
        code = _problem_code(answer)
        # Without a code it is not the aggregator that refuses, but something before it.
        if code is None or answer.is_server_error or code in _PASSING:
            return code or f"http_{answer.status_code}", max(backoff_s, _retry_after_s(answer))
        return code, None


def _problem_code(answer: httpx.Response) -> str | None:
    try:
        code = from_json(answer.content)["code"]  # bounds depth, unlike the standard library
    except (ValueError, KeyError, TypeError):
        code = None
    return code if isinstance(code, str) and 0 < len(code) <= 64 else None


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(_MAX_RETRY_AFTER_S, float(text)) if text.isdecimal() else 0.0
