"""Small HTTP servers on 127.0.0.1, and a local store's folder on one (devnet); production has S3 or a web server."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from aligned.storage.objects import KEY_PATTERN

_COPY_BYTES = 1 << 16


class LoopbackServer:
    """Answers on 127.0.0.1, in threads of its own, from `start` to `stop`.

    Args:
        handler: serves requests.
        context: attributes that the handler's class gets.
        port: 0 takes a free one.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], context: dict[str, object], port: int) -> None:
        self._server = _Server(("127.0.0.1", port), type("Handler", (handler,), context))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stops answering and frees the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """Without a traceback for each client that gave up."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says what went wrong, unless it is only that nobody waits for the answer any more."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class FolderServer(LoopbackServer):
    """The files of one folder. Its `url` is what to give the store as its public base URL.

    Args:
        folder: as given to `ObjectStore.from_url`.
        port: 0 takes a free one.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(_Handler, {"folder": folder.absolute()}, port)


class _Handler(BaseHTTPRequestHandler):
    folder: ClassVar[Path]
    timeout = 30

    def do_GET(self) -> None:
        """One object, or 404 for any other path."""
        key = self.path.removeprefix("/")
        path = self.folder / key
        if KEY_PATTERN.fullmatch(key) is None or path.is_symlink() or not path.is_file():
            self.send_error(404)
            return
        with path.open("rb") as file:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            while chunk := file.read(_COPY_BYTES):
                self.wfile.write(chunk)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the roles log their downloads themselves."""
