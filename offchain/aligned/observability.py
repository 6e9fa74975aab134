"""Structured logs with secrets removed, and the few metrics that every role has."""

from __future__ import annotations

import logging
import platform
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from time import perf_counter, time
from typing import Any
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

import aligned

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"password|passphrase|secret|private_key|mnemonic|api_key|token|authorization", re.IGNORECASE
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_LATENCY_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
# They log whole requests, URLs with keys included.
_NOISY_LOGGERS = ("web3", "aiohttp", "httpx", "httpcore", "urllib3", "websockets")

Event = MutableMapping[str, Any]


def redact_url(url: str) -> str:
    """`url` without credentials, query and fragment, and with long path parts (where RPC keys are) removed."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(
        REDACTED if len(part) >= 20 and "." not in part else part for part in parts.path.split("/")
    )
    hidden = f"?{REDACTED}" if parts.query or parts.fragment else ""
    user = f"{REDACTED}@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{user}{host}{path}{hidden}"


def redact(value: object, name: str = "") -> object:
    """A value fit for a log: secrets by name and URLs by content removed, bytes as 0x hex; containers as well."""
    if _SECRET_NAME.search(name) and not name.endswith("_file") and value is not None:
        return REDACTED
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return _URL.sub(lambda match: redact_url(match[0]), value)
    if isinstance(value, dict):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else redact(str(value))


def _redact_event(_logger: object, _method: str, event: Event) -> Event:
    return {name: redact(value, name) for name, value in event.items()}


def configure_logging(role: str, json: bool, level: int = logging.INFO) -> None:
    """Sends structlog events to stderr, one JSON object a line or coloured text."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    shared.append(structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer())
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(role=role)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


class Metrics:
    """Metrics of one role, in a registry of its own: `aligned_<role>_<noun>_<unit>`.

    Args:
        role: snake_case.
    """

    def __init__(self, role: str) -> None:
        self.registry = CollectorRegistry()
        self.prefix = f"aligned_{role}"
        info = Gauge(
            f"{self.prefix}_build_info", "Version in use", ["version", "python"], registry=self.registry
        )
        info.labels(aligned.__version__, platform.python_version()).set(1)
        self._success = Gauge(
            f"{self.prefix}_last_success_timestamp_seconds",
            "Last success of a loop",
            ["loop"],
            registry=self.registry,
        )
        self._requests = Histogram(
            f"{self.prefix}_request_seconds",
            "Duration of a request to or from a dependency",
            ["dependency", "outcome"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._pruned = Counter(
            f"{self.prefix}_pruned_rows", "Rows deleted for their age", ["what"], registry=self.registry
        )

    def pruned(self, what: str, rows: int) -> None:
        """Notes rows that were deleted because nothing needs them any more."""
        self._pruned.labels(what).inc(rows)

    def succeeded(self, loop: str) -> None:
        """Notes that `loop` did its work just now."""
        self._success.labels(loop).set(time())

    @contextmanager
    def timed(self, dependency: str) -> Iterator[None]:
        """Measures a block; the outcome is "ok" or "error"."""
        start = perf_counter()
        outcome = "error"
        try:
            yield
            outcome = "ok"
        finally:
            self._requests.labels(dependency, outcome).observe(perf_counter() - start)

    def render(self) -> bytes:
        """Text form for /metrics."""
        return generate_latest(self.registry)
