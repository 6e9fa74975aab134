"""Responses of the batcher's HTTP face: JSON, and problem+json with a stable code."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Response

from aligned.core.errors import RATE_LIMITED, AlignedError, DependencyError

_PROBLEM = "application/problem+json"


def json_reply(value: dict[str, Any]) -> Response:
    """200 with an object."""
    return _response(HTTPStatus.OK, "application/json", value)


def refusal(error: AlignedError, status: HTTPStatus | None = None) -> Response:
    """An error, with the status that its kind has; `status` overrides it."""
    status = status or _status_of(error)
    body = {
        "type": "about:blank",
        "title": error.code.replace("_", " "),
        "status": status.value,
        "code": error.code,
        "detail": error.message,
    }
    response = _response(status, _PROBLEM, body)
    if (after_s := error.context.get("retry_after_s")) is not None:
        response.headers["Retry-After"] = str(after_s)
    return response


def _status_of(error: AlignedError) -> HTTPStatus:
    if error.code == RATE_LIMITED:
        return HTTPStatus.TOO_MANY_REQUESTS
    is_passing = isinstance(error, DependencyError)
    return HTTPStatus.SERVICE_UNAVAILABLE if is_passing else HTTPStatus.BAD_REQUEST


def _response(status: HTTPStatus, content_type: str, value: dict[str, Any]) -> Response:
    body = json.dumps(value).encode()
    headers = Headers({"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"})
    return Response(status.value, status.phrase, headers, body)
