"""One embedded PostgreSQL for several roles of a machine: the first starts it, the others join it.

When its owner ends, the server ends with it, and one of the others starts it again over the same data; meanwhile the
database is unavailable to them, which they wait out.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from aligned.core.errors import AlignedError, DependencyError, InvariantError
from aligned.storage.embedded import EMBEDDED_FAILED, IN_USE, EmbeddedPostgres, database_url, socket_dir_of

_JOIN_TIMEOUT_S = 60.0
_LOOK_S = 0.2
log = structlog.get_logger(__name__)


class SharedPostgres:
    """A server over `data_dir` that this process owns or has joined.

    Args:
        data_dir, durable: as for `EmbeddedPostgres`.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._data_dir = data_dir.absolute()
        self._durable = durable
        self._owned: EmbeddedPostgres | None = None
        self._socket_dir: Path | None = None
        self._done = threading.Event()
        self._watching: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server, or waits until the one that is being started is ready.

        Raises:
            DependencyError: embedded_postgres_failed.
        """
        deadline = time.monotonic() + _JOIN_TIMEOUT_S
        while not self._own() and not self._join():
            if time.monotonic() > deadline:
                raise DependencyError(EMBEDDED_FAILED, f"the owner of {self._data_dir} starts no server")
            time.sleep(_LOOK_S)
        if self._owned is None:
            self._watching = threading.Thread(target=self._watch, daemon=True)
            self._watching.start()

    def stop(self) -> None:
        """Leaves the server; shuts it down if it is ours."""
        self._done.set()
        if self._watching is not None:
            self._watching.join()
        if self._owned is not None:
            self._owned.stop()

    def url(self, database_name: str) -> str:
        """URL of a database of that name, which is created if absent."""
        if self._socket_dir is None:
            raise InvariantError("embedded_postgres_not_started", "call start() first")
        return database_url(self._socket_dir, database_name)

    def _own(self) -> bool:
        """Starts the server unless a live process owns it; its socket is where it was."""
        server = EmbeddedPostgres(self._data_dir, durable=self._durable, socket_dir=self._socket_dir)
        try:
            server.start()
        except InvariantError as error:
            if error.code == IN_USE:
                return False
            raise
        self._owned, self._socket_dir = server, server.socket_dir
        return True

    def _join(self) -> bool:
        self._socket_dir = socket_dir_of(self._data_dir)
        return self._socket_dir is not None

    def _watch(self) -> None:
        """Takes over when the owner is gone."""
        while not self._done.wait(_LOOK_S):
            try:
                if self._own():
                    log.warning("embedded_postgres_taken_over", data_dir=str(self._data_dir))
                    return
            except AlignedError as error:
                log.warning("embedded_postgres_not_started", code=error.code, message=error.message)
