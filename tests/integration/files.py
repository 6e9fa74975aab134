"""A web server on 127.0.0.1 that serves batch files, and misbehaves on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Answer = Callable[[BaseHTTPRequestHandler], None]


class FileServer:
    """Answers by path; `hits` counts downloads, `posts` keeps what was posted (and accepted)."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.answers: dict[str, Answer] = {}
        self.hits: dict[str, int] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hits[self.path] = server.hits.get(self.path, 0) + 1
                answer = server.answers.get(self.path)
                if answer is None:
                    self.send_error(404)
                else:
                    answer(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.posts.append((self.path, body))
                self.send_response(202)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, path: str, content: bytes) -> str:
        """Serves `content`; its URL."""
        return self.on(path, lambda request: _send(request, content))

    def on(self, path: str, answer: Answer) -> str:
        """Serves whatever `answer` does; its URL."""
        self.answers[path] = answer
        return self.url + path


def _send(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def redirect_to(url: str) -> Answer:
    """A redirect."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", url)
        request.end_headers()

    return answer


def announce(size_bytes: int) -> Answer:
    """A length that is announced and never sent."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(size_bytes))
        request.end_headers()

    return answer


def stream(size_bytes: int, chunk: bytes = b"\0" * 65_536, pause_s: float = 0.0) -> Answer:
    """A body without Content-Length, a chunk at a time."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range(-(-size_bytes // len(chunk))):
                request.wfile.write(chunk)
                time.sleep(pause_s)
        except OSError:
            return  # the client has seen enough

    return answer
