"""JSON-RPC over several HTTP endpoints: failover, health, broadcast to all, and what metrics need to know of it."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from aligned.chain.endpoint import Endpoint
from aligned.chain.heads import HeadRules
from aligned.chain.node import EndpointStatus, Node
from aligned.chain.rpc_errors import RpcError
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError

__all__ = ["EndpointStatus", "RpcError", "RpcPool"]

T = TypeVar("T")

_NO_RULES = HeadRules(None)
# An endpoint that says nothing must not hold up the choice among those that do.
_LOOK_TIMEOUT_S = 2.0
_SHORTEST_LOOK_S = 1.0
HEAD_FROZEN = "head_frozen"


@dataclass(slots=True)
class _Looks:
    """When heads are looked at; shared by a pool and its pinned views."""

    next_at: float
    last_at: float = float("-inf")
    failures: list[DependencyError] = field(default_factory=list)


class RpcPool:
    """Endpoints in order of preference: the first one that is well and up to date is asked.

    Args:
        urls: HTTP(S) URLs of nodes of one chain.
        chain_id: an endpoint of another chain is never used.
        timeout_s: for one request to one endpoint.
        look_s: pause between looks at the heads of all endpoints.
    """

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int,
        timeout_s: float,
        *,
        rules: HeadRules = _NO_RULES,
        look_s: float = 10.0,
    ) -> None:
        if not urls:
            raise DependencyError(CHAIN_UNAVAILABLE, "no RPC URL configured")
        genesis: list[object] = []
        self._all = self._nodes = [Node(Endpoint(url, timeout_s), chain_id, genesis) for url in urls]
        self._rules = rules
        self._look_s = look_s
        # With one endpoint there is nothing to choose: its head is looked at for the metrics only, and later.
        self._looks = _Looks(0.0 if len(urls) > 1 else time.monotonic() + look_s)
        self._tasks: set[asyncio.Task[Any]] = set()
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
        """Ends what runs beside the requests, and closes all connections of this event loop."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is loop]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        for node in self._all:
            await node.endpoint.close()

    def status(self) -> tuple[EndpointStatus, ...]:
        """Every endpoint as it is known now, best first in the order of the settings; asks nothing."""
        outdated = self._rules.outdated([node.head for node in self._all])
        return tuple(node.status(is_outdated=late) for node, late in zip(self._all, outdated, strict=True))

    async def check_head(self) -> None:
        """For readiness: looks at all heads now.

        Raises:
            DependencyError: head_frozen when the newest one is too old; otherwise what keeps each from answering.
        """
        failures = await self._look_now()
        self.check_known()
        if failures and not any(node.is_alive for node in self._all):
            raise failures[0]

    def check_known(self) -> None:
        """The same by what was seen last, asking nothing; what was never looked at is not held against anybody.

        Raises:
            DependencyError: head_frozen, wrong_chain.
        """
        wrong = [node.wrong for node in self._all if node.wrong is not None]
        if len(wrong) == len(self._all):
            raise wrong[0]
        heads = [node.head for node in self._all if node.head is not None and node.is_alive]
        if not heads or any(self._rules.is_fresh(head) for head in heads):
            return
        newest = max(heads, key=lambda head: head.timestamp)
        age_s = newest.age_s(self._rules.clock())
        raise DependencyError(
            HEAD_FROZEN,
            f"newest block {newest.number} is {age_s:.0f} s old, at most {self._rules.max_age_s:g} s are expected:"
            " no configured node follows the chain",
        )

    async def request(
        self, method: str, *params: object, decode: Callable[[Any], T], seek: bool = False
    ) -> T:
        """Result of the first endpoint that answers usefully.

        Args:
            decode: makes the value of the raw JSON result; what it cannot read is the endpoint's failure.
            seek: None is believed only when no endpoint knows better.

        Raises:
            TxReverted: the contract refused; no other endpoint is asked, the answer would be the same.
            RpcError: the error of an endpoint that answered with one, when none had a result.
            DependencyError: chain_unavailable, wrong_chain: no endpoint is usable.
        """
        await self._look_when_due()
        failure: DependencyError | None = None
        absent: list[T] = []
        for node in self._in_order(method):
            try:
                found = await node.ask(method, params, decode)
            except DependencyError as error:
                if failure is None or not isinstance(failure, RpcError):
                    failure = error
                continue
            if self._pins:
                self._nodes = [node]
            if found is not None or not seek:
                node.failovers += node is not self._all[0]
                return found
            absent.append(found)
        if absent:
            return absent[0]
        raise failure or DependencyError(CHAIN_UNAVAILABLE, "no endpoint")

    async def broadcast(self, raw: str) -> None:
        """Hands a signed transaction to all endpoints; returns as soon as one of them has it.

        Raises:
            RpcError: every endpoint that answered refused it.
            DependencyError: no endpoint answered.
        """
        waiting: set[asyncio.Task[None]] = {self._start(node.offer(raw)) for node in self._nodes}
        failures: list[Exception] = []
        while waiting:
            # The others go on beside it: more nodes that know it are more that may pass it on.
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            outcomes = [task.exception() for task in done]
            if None in outcomes:
                return
            failures += [error for error in outcomes if isinstance(error, Exception)]
        raise _most_telling(failures)

    def _in_order(self, method: str) -> list[Node]:
        """Well before ill, up to date before behind; among equals as the settings have them."""
        late = {id(node): is_late for node, is_late in zip(self._nodes, self._outdated(), strict=True)}
        # Whoever is pinned is asked for everything.
        wanted = None if self._pins else method
        return sorted(self._nodes, key=lambda node: (node.lacks(wanted), node.pause_s > 0, late[id(node)]))

    def _outdated(self) -> list[bool]:
        return self._rules.outdated([node.head for node in self._nodes])

    async def _look_when_due(self) -> None:
        """The first look is waited for, for a moment; later ones go on beside the requests."""
        now = time.monotonic()
        if now < self._looks.next_at:
            return
        is_first = self._looks.next_at == 0.0
        self._looks.next_at = now + self._look_s
        look = self._start(self._look())
        if is_first:
            await asyncio.wait({look}, timeout=_LOOK_TIMEOUT_S)

    async def _look_now(self) -> list[DependencyError]:
        """Strangers may cause it, so not more than once in a while."""
        if time.monotonic() - self._looks.last_at >= _SHORTEST_LOOK_S:
            self._looks.last_at = time.monotonic()
            self._looks.failures = await self._look()
        return self._looks.failures

    async def _look(self) -> list[DependencyError]:
        outcomes = await asyncio.gather(*(node.look() for node in self._all), return_exceptions=True)
        return [error for error in outcomes if isinstance(error, DependencyError)]

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at by whoever still waits; nobody need


def _most_telling(failures: list[Exception]) -> Exception:
    """One node behind says that money or a nonce is missing: believed only when nobody says something else."""
    answers = [error for error in failures if isinstance(error, RpcError)]
    others = [error for error in answers if "insufficient funds" not in error.text]
    return (others or answers or failures)[0]
