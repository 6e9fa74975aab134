"""Acts before the n-th statement that connections of this process send to PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

Action = Callable[[], Awaitable[object]]
# Statements of the action itself must neither count nor act.
_acting: ContextVar[bool] = ContextVar("acting", default=False)


@dataclass(slots=True)
class Statements:
    """What was sent while the hook was in place, in order."""

    sent: list[str] = field(default_factory=list)
    _actions: list[tuple[str, int, Action]] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)

    def before(self, words: str, number: int, action: Action) -> None:
        """Carries out `action` before the n-th statement (from 1) whose text contains `words`; "" is any."""
        self._actions.append((words, number, action))

    async def arrive(self, text: str) -> None:
        """Counts a statement, and does what is to be done before it."""
        self.sent.append(text)
        for words in {words for words, _number, _action in self._actions if words in text}:
            self._seen[words] = self._seen.get(words, 0) + 1
        due = [
            action for words, number, action in self._actions if words in text and self._seen[words] == number
        ]
        token = _acting.set(True)
        try:
            for action in due:
                await action()
        finally:
            _acting.reset(token)


@contextmanager
def watched_statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    """Sees every `execute` and `executemany` of asynchronous cursors until the block ends."""
    statements = Statements()

    def wrap(name: str) -> Callable[..., Awaitable[Any]]:
        original = getattr(psycopg.AsyncCursor, name)

        async def execute(self: psycopg.AsyncCursor[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
            if not _acting.get():
                await statements.arrive(_text(query))
            return await original(self, query, *args, **kwargs)

        return execute

    with monkeypatch.context() as patch:
        for name in ("execute", "executemany"):
            patch.setattr(psycopg.AsyncCursor, name, wrap(name))
        yield statements


def _text(query: Any) -> str:
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    return query if isinstance(query, str) else query.as_string(None)
