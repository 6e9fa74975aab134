"""What becomes of a connection's proofs, in the order and at the moments in which its client can take it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aligned.batcher.subscriptions import News, ProofKey
from aligned.core.errors import AlignedError
from aligned.wire.batcher_replies import Dialect, MessageRef

# Until the next look at news that wait for those about a lower nonce.
_AGAIN_S = 2.0


def frame_of(dialect: Dialect, key: ProofKey, news: News) -> bytes:
    """The frame for an inclusion or for the reason why there will be none."""
    if isinstance(news, AlignedError):
        return dialect.dropped(news, MessageRef(*key))
    return dialect.included(news)


class OrderedNews:
    """Keeps news back until those about all lower nonces of the sender are out, and the client has been silent.

    Args:
        post: sends a frame.
        awaited: the lowest nonce of each sender of which the connection will still hear.
        silent_for_s: how long the client has been silent; 0 while a message of its is arriving or in work.
    """

    def __init__(
        self,
        post: Callable[[bytes], None],
        awaited: Callable[[], Mapping[bytes, int]],
        silent_for_s: Callable[[], float],
    ) -> None:
        self._post = post
        self._awaited = awaited
        self._silent_for_s = silent_for_s
        self._held: list[tuple[ProofKey, News]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept back."""
        return not self._held

    def add(self, dialect: Dialect, key: ProofKey, news: News) -> None:
        """Sends it as soon as the client can take it."""
        self._held.append((key, news))
        if self._timer is None:
            self._look_in(dialect, dialect.silence_s)

    def stop(self) -> None:
        """Forgets what is kept back."""
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look_in(self, dialect: Dialect, wait_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look, dialect)

    def _look(self, dialect: Dialect) -> None:
        missing_s = dialect.silence_s - self._silent_for_s()
        if missing_s > 0:
            self._look_in(dialect, max(missing_s, dialect.silence_s / 4))
            return
        self._timer = None
        awaited, held, self._held = self._awaited(), sorted(self._held, key=lambda item: item[0]), []
        for key, news in held:
            if key.nonce >= awaited.get(key.sender, key.nonce + 1):
                self._held.append((key, news))
            elif not dialect.is_over:
                self._post(frame_of(dialect, key, news))
        if self._held:
            self._look_in(dialect, _AGAIN_S)
