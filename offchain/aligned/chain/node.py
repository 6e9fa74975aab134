"""One endpoint with what is known of it: which chain it serves, its head, and whether it is better left alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aligned.chain.decoding import count, hex_bytes, number, to_bytes
from aligned.chain.endpoint import Endpoint
from aligned.chain.errors import WRONG_CHAIN, TxReverted
from aligned.chain.heads import Head
from aligned.chain.rpc_errors import INVALID_PARAMS, METHOD_MISSING, RpcError
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, ProtocolError

T = TypeVar("T")

_COOL_DOWN_S = 5.0
# A method that a node does not have today may be there after its next upgrade.
_LACKS_FOR_S = 600.0
# Deeper than any reorganisation: what goes back so far may be another chain.
_FAR_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """For metrics.

    Attributes:
        name: host and port.
        requests: questions asked.
        failures: questions without a useful answer; each was a reason to ask the next endpoint.
        failovers: questions that it answered although another endpoint is preferred.
        head_number: newest block that it was seen with, None before the first look.
        head_age_s: how old that block is by this machine's clock.
        pause_s: how long it is asked only when no other answers; 0 when it is well.
        is_outdated: whether its head is too old or behind another's.
        wrong_chain: whether it was last seen serving another chain.
    """

    name: str
    requests: int
    failures: int
    failovers: int
    head_number: int | None
    head_age_s: float | None
    pause_s: float
    is_outdated: bool
    wrong_chain: bool


class Node:
    """Asks an endpoint, and remembers what its answers say about it.

    Args:
        genesis: the chain's first block as the first endpoint of the pool had it; shared among all of them.
    """

    def __init__(self, endpoint: Endpoint, chain_id: int, genesis: list[object]) -> None:
        self.endpoint = endpoint
        self.head: Head | None = None
        self.is_alive = False
        self._chain_id = chain_id
        self._genesis = genesis
        self._is_checked = False
        self.wrong: DependencyError | None = None
        self._retry_at = 0.0
        self._must_wait = False
        self._lacks_until: dict[str, float] = {}
        self._requests = self._failures = 0
        self.failovers = 0

    @property
    def pause_s(self) -> float:
        """How long others are asked first."""
        return max(0.0, self._retry_at - time.monotonic())

    def lacks(self, method: str | None) -> bool:
        """Whether it said not long ago that it does not have the method; None: any method."""
        now = time.monotonic()
        return any(until > now and method in {None, name} for name, until in self._lacks_until.items())

    def status(self, *, is_outdated: bool) -> EndpointStatus:
        """As it is known now."""
        head = self.head
        return EndpointStatus(
            name=self.endpoint.name,
            requests=self._requests,
            failures=self._failures,
            failovers=self.failovers,
            head_number=None if head is None else head.number,
            head_age_s=None if head is None else head.age_s(time.time()),
            pause_s=self.pause_s,
            is_outdated=is_outdated,
            wrong_chain=self.wrong is not None,
        )

    async def ask(self, method: str, params: Sequence[object], decode: Callable[[Any], T]) -> T:
        """The decoded result.

        Raises:
            TxReverted: the contract refused.
            DependencyError: noted, so that others are asked first for a while where that helps.
        """
        if self._must_wait and self.pause_s:
            raise RpcError(
                0, f"{self.endpoint.name} asked for a pause, {self.pause_s:.0f} s of it are left", status=429
            )
        self._requests += 1
        try:
            await self._check_chain()
            found = self._decoded(method, await self.endpoint.ask(method, params), decode)
        except TxReverted:
            raise
        except DependencyError as error:
            self._note(method, error, is_wide=_is_wide(method, params))
            raise
        self.is_alive = True
        return found

    async def offer(self, raw: str) -> None:
        """Hands it a signed transaction.

        Raises:
            RpcError: it refuses and does not have it.
        """
        try:
            await self.ask("eth_sendRawTransaction", [raw], lambda answer: answer)
        except RpcError as error:
            if not error.is_known_transaction:
                raise

    async def look(self) -> None:
        """Reads the head, and which chain it is.

        Raises:
            DependencyError: only silence makes it worse than others; a head may be refused by a node that is well.
        """
        try:
            await self._look()
        except RpcError:
            raise
        except DependencyError as error:
            self._note("eth_getBlockByNumber", error)
            raise
        self.is_alive = True

    async def _look(self) -> None:
        await self._check_chain()
        head = await self._read_first("latest", _head)
        if self.head is not None and head.number < self.head.number - _FAR_BLOCKS:
            self._is_checked = False
        self.head = head
        if not self._genesis:
            await self._check_genesis()
        await self._check_chain()

    async def _check_genesis(self) -> None:
        """Ids do not tell two chains apart that were started anew; first blocks do."""
        try:
            first = await self._read_first("0x0", _hash)
        except RpcError:
            return  # not every node keeps it
        if first is None:
            return
        if not self._genesis:
            self._genesis.append(first)
        self._expect("a chain with genesis", first, self._genesis[0])

    async def _read_first(self, block: str, decode: Callable[[Any], T]) -> T:
        method = "eth_getBlockByNumber"
        self._requests += 1
        return self._decoded(method, await self.endpoint.ask(method, (block, False)), decode)

    def _note(self, method: str, error: DependencyError, *, is_wide: bool = False) -> None:
        self._failures += 1
        if not isinstance(error, RpcError):
            # It may come back as another chain: a node started anew, a name that leads elsewhere.
            self._is_checked = self.is_alive = False
            self._pause(_COOL_DOWN_S)
        elif error.rpc_code == METHOD_MISSING:
            self._lacks_until[method] = time.monotonic() + _LACKS_FOR_S
        elif error.asks_to_wait:
            self._pause(_COOL_DOWN_S if error.retry_after_s is None else error.retry_after_s)
            self._must_wait = error.retry_after_s is not None
        elif is_wide or method == "eth_sendRawTransaction" or _is_refused(method, error):
            return  # refused for what is asked, by a node that is well
        else:
            self._pause(_COOL_DOWN_S)

    def _pause(self, seconds: float) -> None:
        self._retry_at = time.monotonic() + seconds
        self._must_wait = False

    async def _check_chain(self) -> None:
        if self._is_checked:
            return
        found = self._decoded("eth_chainId", await self.endpoint.ask("eth_chainId", ()), number)
        self._expect("chain", hex(found), hex(self._chain_id))
        if self._genesis:
            await self._check_genesis()
        self._is_checked, self.wrong = True, None

    def _expect(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            self.wrong = DependencyError(
                WRONG_CHAIN,
                f"{self.endpoint.name} serves {what} {str(found)[:80]}, expected {expected}: correct rpc_urls, or use a"
                " fresh database and restart if the chain itself was started anew",
            )
            raise self.wrong

    def _decoded(self, method: str, answer: Any, decode: Callable[[Any], T]) -> T:
        try:
            return decode(answer)
        except (LookupError, ArithmeticError, ValueError, TypeError, AttributeError, ProtocolError) as error:
            raise DependencyError(
                CHAIN_UNAVAILABLE,
                f"{self.endpoint.name}: {method}: malformed answer ({type(error).__name__})",
            ) from error


def _is_refused(method: str, error: RpcError) -> bool:
    # A log query over one block has nothing left to be refused for: then another node must answer.
    return error.rpc_code == INVALID_PARAMS and method != "eth_getLogs"


def _is_wide(method: str, params: Sequence[object]) -> bool:
    """Whether it is a log query over several blocks."""
    asked = params[0] if method == "eth_getLogs" else None
    return isinstance(asked, dict) and asked.get("fromBlock") != asked.get("toBlock")


def _head(item: dict[str, Any]) -> Head:
    return Head(count(item["number"]), count(item["timestamp"]))


def _hash(item: dict[str, Any] | None) -> str | None:
    return None if item is None else hex_bytes(to_bytes(item["hash"]))
