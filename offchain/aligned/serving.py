"""HTTP face of a role: granian inside the role's own event loop, health and metrics, problem+json, body limits."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aligned import watchdog
from aligned.core.errors import INTERNAL_ERROR, MALFORMED_MESSAGE, TIMEOUT, AlignedError, DependencyError
from aligned.wire.aggregator import BODY_TOO_LARGE

Readiness = Callable[[], Awaitable[dict[str, object]]]
_PROBLEM = "application/problem+json"
_BAD_REQUEST = 400
_READY_TIMEOUT_S = 5.0
# Connections, also those that say nothing, count; beyond these, new ones wait. Each takes a file descriptor.
_MAX_CONNECTIONS = 4_096
_MIN_CONNECTIONS = 256
_HEADER_TIMEOUT_MS = 5_000
# Of a request's first line and headers. What reads them takes time that can grow with the square of their length.
_MAX_HEAD_BYTES = 32 * 1024

log = structlog.get_logger(__name__)


def problem(
    status: int, code: str, detail: str, retry_after_s: int | None = None, **extra: object
) -> JSONResponse:
    """An RFC 9457 answer whose `code` is stable."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse(body | extra, status, headers, media_type=_PROBLEM)


def create_app(title: str, ready: Readiness, render_metrics: Callable[[], bytes]) -> FastAPI:
    """An application with /healthz, /readyz, /metrics and all errors as problem+json.

    Args:
        ready: details for /readyz; raises AlignedError when the role cannot work.
        render_metrics: text form for /metrics.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None)
    app.state.watchdog = None

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        if app.state.watchdog is not None:
            app.state.watchdog.check()
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, object]:
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                return {"status": "ready"} | await ready()
        except TimeoutError as error:
            raise DependencyError(TIMEOUT, f"a dependency is silent for {_READY_TIMEOUT_S} s") from error

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(render_metrics(), media_type=CONTENT_TYPE_LATEST)

    app.add_exception_handler(AlignedError, _aligned_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)
    return app


async def _aligned_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AlignedError)
    if isinstance(error, DependencyError):
        return problem(503, error.code, _for_strangers(error), retry_after_s=1)
    status = error.context.get("status", 400)
    extra = {key: value for key, value in error.context.items() if key not in ("status", "retry_after_s")}
    retry_after_s = error.context.get("retry_after_s")
    return problem(
        status if isinstance(status, int) else 400,
        error.code,
        error.message,
        retry_after_s if isinstance(retry_after_s, int) else None,
        **extra,
    )


def _for_strangers(error: DependencyError) -> str:
    """What libraries say about a dependency that does not answer names hosts, accounts, folders: for the log only."""
    if not error.code.endswith("_unavailable"):
        return error.message
    log.warning("dependency_unavailable", code=error.code, error=error.message)
    return "it does not answer at this moment; send the same again later"


async def _unexpected_error(_request: Request, _error: Exception) -> Response:
    return problem(500, INTERNAL_ERROR, "this is a fault of the server, and in its log")


async def _validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem(400, MALFORMED_MESSAGE, f"{where}: {first['msg']}")


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = MALFORMED_MESSAGE if error.status_code == _BAD_REQUEST else f"http_{error.status_code}"
    return problem(error.status_code, code, str(error.detail))


class BodyLimit:
    """ASGI middleware: a request body is no longer than `max_bytes`, announced or not, and there in `timeout_s`."""

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float = 10.0) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the whole body (it is small) before the application sees the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._read(receive)
        except TimeoutError:
            await problem(408, TIMEOUT, f"no complete request in {self._timeout_s} s")(scope, receive, send)
            return
        if body is None:
            await problem(413, BODY_TOO_LARGE, f"at most {self._max_bytes} bytes")(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def serve(
    app: ASGIApp, host: str, port: int, stop: asyncio.Event, read_bytes: int = _MAX_HEAD_BYTES
) -> None:
    """Serves `app` until `stop`; its /healthz speaks for the loops that `run_all` started beside it.

    Args:
        read_bytes: largest piece in which a body is read, and largest head (32 KiB unless bodies are large).
    """
    if isinstance(app, FastAPI):
        app.state.watchdog = watchdog.current.get()
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
        http=HTTPModes.http1,
        # Without keep-alive a connection lives for one request: there are no idle ones to hoard.
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEADER_TIMEOUT_MS, keep_alive=False, max_buffer_size=read_bytes
        ),
        backlog=1_024,
        backpressure=_connection_limit(),
    )
    serving = asyncio.create_task(server.serve())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    server.stop()  # type: ignore[no-untyped-call]
    await serving


def _connection_limit() -> int:
    """As many as half of the file descriptors allow: the database and the chain need theirs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < min(hard, 2 * _MAX_CONNECTIONS):
        soft = min(hard, 2 * _MAX_CONNECTIONS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(_MIN_CONNECTIONS, min(_MAX_CONNECTIONS, soft // 2))
