"""What a caller sends, which uvicorn awaits without a limit: a head is bounded here, and a body may not stand still."""

import asyncio
from collections import deque
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelscan.errors import InvalidInput
from router_app.cycle import TASK, Cycle
from router_app.problems import HeadTooLarge, HeadTooSlow, answer_for

__all__ = ["BoundedHttp"]

_MOST_BYTES = 256 * 1024
_SECONDS = 30.0
_USUAL_TARGET = 256
"""Bytes; a longer target is read anew each time."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP, with a `Cycle` of ours for each request, and one timer that looks after a whole connection.

    uvicorn sets and stops a timer for each request, and looks at much that never changes here.
    """

    most_bytes = _MOST_BYTES
    seconds = _SECONDS

    cycle: Cycle | None  # type: ignore[assignment]  # ours in the place of uvicorn's

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head = True
        self._head_bytes = 0
        self._moved = 0.0
        """When the last piece of a body came, or the last answer ended."""
        self._timer: asyncio.TimerHandle | None = None
        self._following: deque[Cycle] = deque()
        """Requests that came before the answer to the one before them."""
        self._asgi = {"version": self.asgi_version, "spec_version": "2.3"}

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._moved = self.loop.time()
        self._look()

    def connection_lost(self, _: Exception | None) -> None:
        self.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if (cycle := self.cycle) is not None:
            cycle.leave()
        self.flow.resume_writing()
        self.transport.close()
        self.parser = None  # type: ignore[assignment]  # which knows this object, and is known by it

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(InvalidInput("What came is no HTTP request.", hint="Speak HTTP/1.1, without TLS."))
            return
        except httptools.HttpParserUpgrade:  # There is no other protocol here; the request is answered in this one.
            self._unsupported_upgrade_warning()
        if self._in_head:
            self._more(len(data))
        elif self.cycle is not None and self.cycle.more_body:
            self._moved = self.loop.time()

    # What the parser finds.

    def on_message_begin(self) -> None:
        self._in_head = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        parser, url = self.parser, self.url
        version = parser.get_http_version()
        path, raw_path, query = (_target if len(url) <= _USUAL_TARGET else _target.__wrapped__)(url)
        scope = {
            "type": "http",
            "asgi": self._asgi,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": parser.get_method().decode(),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": {},
        }
        keep_alive = version != "1.0" and parser.should_keep_alive()
        before = self.cycle
        self.cycle = cycle = Cycle(self, scope, keep_alive=keep_alive, expects_100=self.expect_100_continue)
        if before is None or before.response_complete:
            self._start(cycle)
        else:  # It waits until those before it are answered.
            self.flow.pause_reading()
            self._following.append(cycle)

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        assert cycle is not None
        if not cycle.response_complete:
            cycle.came(body)
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        assert cycle is not None
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.hear()

    # What the cycle asks and tells.

    def usual_lines(self) -> bytes:
        return _lines(tuple(self.server_state.default_headers))

    def answered(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._following:
            self._start(self._following.popleft())
        else:
            self._moved = self.loop.time()

    def left(self, cycle: Cycle) -> None:
        assert cycle.task is not None
        self.tasks.discard(cycle.task)

    def _start(self, cycle: Cycle) -> None:
        cycle.task = task = self.loop.create_task(cycle.run(self.app))
        cycle.scope[TASK] = task
        self.tasks.add(task)

    # How long is waited, and for how much.

    def _more(self, count: int) -> None:
        """A piece of a head, of which more is to come."""
        if not self._head_bytes:
            self._moved = self.loop.time()
        self._head_bytes += count
        if self._head_bytes > self.most_bytes:
            wrong = f"The request's head has more than {self.most_bytes} bytes."
            self._refuse(HeadTooLarge(wrong, hint="Send fewer headers."))

    def _look(self) -> None:
        """Whether the caller has taken too long. It is looked as often as the shortest limit wants, so never late."""
        left = self._moved + self._limit() - self.loop.time()
        if left > 0:
            often = min(self.seconds, self.timeout_keep_alive)
            self._timer = self.loop.call_later(min(left, often), self._look)
        elif self._in_head and self._head_bytes:
            wrong = f"The request's head did not come within {self.seconds:g} s."
            self._refuse(HeadTooSlow(wrong, hint="Send it at once."))
        else:  # An endpoint that awaits the body hears that its caller has left; nobody else could answer in its place.
            self.transport.close()

    def _limit(self) -> float:
        """How many seconds nothing may move, as things are."""
        cycle = self.cycle
        if cycle is None or (self._in_head and self._head_bytes):
            return self.seconds
        if cycle.response_complete:
            return self.timeout_keep_alive
        return self.seconds if cycle.more_body and not self.flow.read_paused else float("inf")

    def _refuse(self, error: InvalidInput) -> None:
        """Answer, unless the answer to the request before, or to this one, is on its way, and close."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (cycle.more_body and not (cycle.started or self._following)):
            self.transport.write(_answer(getattr(self, "url", b""), error))
        self.transport.close()


@lru_cache
def _target(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the path as it was sent, and query."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


@lru_cache(2)
def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def _answer(path: bytes, error: InvalidInput) -> bytes:
    answer = answer_for(path.partition(b"?")[0].decode("latin-1"), error)
    status = HTTPStatus(answer.status_code)
    headers = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
    line = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\n".encode()
    return line + headers + b"\r\n" + bytes(answer.body)
