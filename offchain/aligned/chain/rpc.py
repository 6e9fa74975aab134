"""JSON-RPC over several HTTP endpoints: failover, health, and errors sorted by what they mean."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from aligned.chain.errors import WRONG_CHAIN, TxReverted
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, ProtocolError

T = TypeVar("T")

_COOL_DOWN_S = 5.0
_INVALID_PARAMS = -32602
_REVERTED = 3
# What public nodes say when a log query asks for too much; wording differs by provider.
_RANGE_WORDS = (
    "too many results",
    "more than",
    "block range",
    "range too",
    "range is too",
    "max range",
    "query returned",
    "response size",
    "limit exceeded",
    "exceeds the",
    "exceed maximum",
    "query timeout",
)


class RpcError(DependencyError):
    """A node answered with an error that is not a revert.

    Attributes:
        rpc_code: JSON-RPC code.
    """

    def __init__(self, rpc_code: int, message: str) -> None:
        super().__init__(CHAIN_UNAVAILABLE, f"{message} (JSON-RPC code {rpc_code})")
        self.rpc_code = rpc_code
        self.text = message.lower()

    @property
    def is_range_error(self) -> bool:
        """Whether a smaller block range may be answered."""
        return any(words in self.text for words in _RANGE_WORDS)


@dataclass(slots=True)
class _Endpoint:
    provider: AsyncHTTPProvider
    name: str
    chain_checked: bool = False
    retry_at: float = 0.0


class RpcPool:
    """Endpoints in order of preference.

    Args:
        urls: HTTP(S) URLs of nodes of one chain.
        chain_id: an endpoint of another chain is never used.
        timeout_s: for one request to one endpoint.
    """

    def __init__(self, urls: Sequence[str], chain_id: int, timeout_s: float) -> None:
        if not urls:
            raise DependencyError(CHAIN_UNAVAILABLE, "no RPC URL configured")
        timeout = {"timeout": aiohttp.ClientTimeout(total=timeout_s)}
        self._endpoints = [
            _Endpoint(AsyncHTTPProvider(url, timeout, exception_retry_configuration=None), _host(url))
            for url in urls
        ]
        self._chain_id = chain_id
        self._pins = False

    def pinned(self) -> Self:
        """The same endpoints, of which the first one that answers is the only one asked from then on.

        For reads that are compared with each other: a node that is behind answers `[]` for logs of blocks that it
        does not have, so logs of one endpoint say nothing about blocks of another.
        """
        view = copy.copy(self)
        view._pins = True  # noqa: SLF001 - a copy of ours
        return view

    async def close(self) -> None:
        """Closes all connections."""
        for endpoint in self._endpoints:
            await endpoint.provider.disconnect()

    async def request(self, method: str, *params: object, decode: Callable[[Any], T]) -> T:
        """Result of the first endpoint that answers usefully.

        Args:
            decode: makes the value of the raw JSON result; what it cannot read is the endpoint's failure.

        Raises:
            TxReverted: the contract refused; no other endpoint is asked, the answer would be the same.
            RpcError: an error that concerns the request itself, or the last endpoint's error.
            DependencyError: chain_unavailable, wrong_chain: no endpoint is usable.
        """
        last: DependencyError = DependencyError(CHAIN_UNAVAILABLE, "no endpoint")
        for endpoint in sorted(self._endpoints, key=lambda item: max(0.0, item.retry_at - time.monotonic())):
            try:
                if not endpoint.chain_checked:
                    await self._check_chain(endpoint)
                found = _decoded(endpoint, method, await _ask(endpoint, method, params), decode)
            except RpcError as error:
                if (
                    method == "eth_sendRawTransaction"
                    or error.rpc_code == _INVALID_PARAMS
                    or error.is_range_error
                ):
                    raise
                last = _cool_down(endpoint, error)
            except DependencyError as error:
                last = _cool_down(endpoint, error)
            else:
                if self._pins:
                    self._endpoints = [endpoint]
                return found
        raise last

    async def _check_chain(self, endpoint: _Endpoint) -> None:
        found = await _ask(endpoint, "eth_chainId", ())
        if found != hex(self._chain_id):
            raise DependencyError(
                WRONG_CHAIN, f"{endpoint.name} serves chain {found}, expected {self._chain_id}"
            )
        endpoint.chain_checked = True


def _host(url: str) -> str:
    # Never the whole URL: user, path and query are where keys are.
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _cool_down(endpoint: _Endpoint, error: DependencyError) -> DependencyError:
    endpoint.retry_at = time.monotonic() + _COOL_DOWN_S
    return error


async def _ask(endpoint: _Endpoint, method: str, params: Sequence[object]) -> Any:
    try:
        answer = await endpoint.provider.make_request(RPCEndpoint(method), list(params))
    except (TimeoutError, aiohttp.ClientError, Web3Exception, OSError, ValueError) as error:
        # The text of some of these holds the URL, which may hold a key.
        raise DependencyError(
            CHAIN_UNAVAILABLE, f"{endpoint.name}: {method}: {type(error).__name__}"
        ) from None
    if isinstance(answer, dict) and answer.get("error") is not None:
        raise _fault(answer["error"])
    if not isinstance(answer, dict) or "result" not in answer:
        raise DependencyError(CHAIN_UNAVAILABLE, f"{endpoint.name}: {method}: answer without a result")
    return answer["result"]


def _decoded(endpoint: _Endpoint, method: str, answer: Any, decode: Callable[[Any], T]) -> T:
    try:
        return decode(answer)
    except (LookupError, ArithmeticError, ValueError, TypeError, AttributeError, ProtocolError) as error:
        raise DependencyError(
            CHAIN_UNAVAILABLE, f"{endpoint.name}: {method}: malformed answer ({type(error).__name__})"
        ) from error


def _fault(fault: Any) -> Exception:
    fields = fault if isinstance(fault, dict) else {"message": str(fault)}
    message, code = str(fields.get("message", ""))[:500], fields.get("code")
    if code == _REVERTED or "revert" in message.lower():
        return TxReverted.from_data(_revert_data(fields.get("data")), message)
    return RpcError(code if isinstance(code, int) else 0, message)


def _revert_data(data: Any) -> bytes:
    nested = data.get("data") if isinstance(data, dict) else data
    text = nested.removeprefix("0x") if isinstance(nested, str) else ""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
