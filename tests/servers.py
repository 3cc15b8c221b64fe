"""A web server on loopback that behaves badly on purpose, one answer after the other.

A test names a list of answers for a path; each request takes the next, and the last one stays.
Everything asked is noted: `with BadServer() as server: server.plan["/x"] = [status(503), file(b)]`
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class BadServer:
    """The server, what it will answer, and what it was asked."""

    host: str = "127.0.0.1"
    plan: dict[str, list[Answer]] = field(default_factory=dict)
    default: list[Answer] = field(default_factory=lambda: [status(404)])
    """Answers to a path that `plan` does not have."""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers (lower-cased) of every request."""
    bodies: list[bytes] = field(default_factory=list)
    """What was sent with every POST."""
    peers: set[tuple[str, int]] = field(default_factory=set)
    """The other end of every connection."""
    times: list[float] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> BadServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        """Address of `path` on this server."""
        return f"http://{self.host}:{self._server.server_address[1]}{path}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server._serve(self)

            do_HEAD = do_GET

            def do_POST(self) -> None:
                self.body = self.rfile.read(int(self.headers["Content-Length"]))
                with server._lock:
                    server.bodies.append(self.body)
                server._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a test's output is not for this."""

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.asked.append((handler.command, handler.path, headers))
            self.times.append(time.monotonic())
            self.peers.add(handler.client_address)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answers = self.plan.get(handler.path, self.default)
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(handler)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True
        finally:
            with self._lock:
                self._at_once -= 1

    def paths(self, method: str = "GET") -> list[str]:
        """Paths asked with `method`, in order."""
        return [path for asked, path, _ in self.asked if asked == method]


def _head(handler: BaseHTTPRequestHandler, code: int, headers: Mapping[str, str]) -> bool:
    """Send the head; whether a body is wanted."""
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    return handler.command != "HEAD"


def status(code: int, **headers: str) -> Answer:
    """An answer without a body; `retry_after="1"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, code, {"Content-Length": "0", **named})

    return answer


def file(body: bytes, etag: str = '"1"', *, ranges: bool = True, if_range: bool = True) -> Answer:
    """The file as a good server gives it, or one that ignores Range, or If-Range."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")) if ranges else None
        if if_range and handler.headers.get("If-Range", etag) != etag:
            asked = None
        named = {"ETag": etag} if etag else {}
        if asked is None:
            if _head(handler, 200, {"Content-Length": str(len(body)), **named}):
                handler.wfile.write(body)
            return
        start = int(asked.group(1))
        if start >= len(body):
            _head(handler, 416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            return
        span = {
            "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}",
            "Content-Length": str(len(body) - start),
        }
        if _head(handler, 206, {**span, **named}):
            handler.wfile.write(body[start:])

    return answer


def short(body: bytes, n_sent: int, etag: str = '"1"') -> Answer:
    """The whole file announced, `n_sent` bytes of it sent, the connection closed."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        named = {"ETag": etag} if etag else {}
        _head(handler, 200, {"Content-Length": str(len(body)), **named})
        handler.wfile.write(body[:n_sent])
        handler.close_connection = True

    return answer


def parts(body: bytes, n_bytes: int) -> Answer:
    """At most `n_bytes` from the byte asked for, told truly: less than was asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int(re.sub(r"\D", "", handler.headers.get("Range", "")) or 0)
        end = min(start + n_bytes, len(body))
        span = f"bytes {start}-{end - 1}/{len(body)}"
        length = str(end - start)
        if _head(handler, 206, {"Content-Range": span, "Content-Length": length, "ETag": '"1"'}):
            handler.wfile.write(body[start:end])

    return answer


def stalled(body: bytes, n_sent: int, *, for_s: float) -> Answer:
    """`n_sent` bytes, and then nothing."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, {"Content-Length": str(len(body)), "ETag": '"1"'})
        handler.wfile.write(body[:n_sent])
        handler.wfile.flush()
        time.sleep(for_s)
        handler.close_connection = True

    return answer


def dripped(body: bytes, *, every_s: float) -> Answer:
    """One byte at a time: never silent, never done."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, {"Content-Length": str(len(body)), "ETag": '"1"'})
        for byte in body:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(every_s)

    return answer


def slow(body: bytes, *, after_s: float) -> Answer:
    """The file, a while after it was asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(after_s)
        file(body)(handler)

    return answer


def without_length(body: bytes) -> Answer:
    """The file in chunked transfer coding."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if _head(handler, 200, {"Transfer-Encoding": "chunked"}):
            handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    return answer


def redirect(to: str, code: int = 302) -> Answer:
    """Elsewhere."""
    return status(code, Location=to)
