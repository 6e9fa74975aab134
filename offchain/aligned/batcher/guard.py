"""A bug met in a loop is logged and tried again with pauses; it shows in readiness, not in silence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from aligned.core.errors import INTERNAL_ERROR, DependencyError, InvariantError

log = structlog.get_logger(__name__)


class Guard:
    """Knows which loops fail with anything but what is expected to pass by itself."""

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def check(self) -> None:
        """Says whether all loops work.

        Raises:
            DependencyError: internal_error.
        """
        if self._failing:
            raise DependencyError(INTERNAL_ERROR, f"failing: {', '.join(sorted(self._failing))}")

    def around(self, name: str, step: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        """The step of a loop whose unexpected errors become DependencyErrors, which `repeat` tries again.

        An InvariantError passes: what it says about the database must be looked at before more is done.
        """

        async def guarded() -> bool:
            try:
                worked = await step()
            except (DependencyError, InvariantError):
                raise
            except Exception as error:
                self._failing.add(name)
                log.exception("step_broke", loop=name)
                raise DependencyError(INTERNAL_ERROR, f"{type(error).__name__} in {name}") from error
            self._failing.discard(name)
            return worked

        return guarded
