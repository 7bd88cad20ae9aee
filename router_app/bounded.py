"""What a caller sends, which uvicorn awaits without a limit: a head is bounded here, and a body may not stand still."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelscan.errors import InvalidInput
from router_app.problems import HeadTooLarge, HeadTooSlow, answer_for

__all__ = ["BoundedHttp"]

_MOST_BYTES = 256 * 1024
_SECONDS = 30.0


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP. A request that comes in one piece, as nearly all do, costs two comparisons more."""

    most_bytes = _MOST_BYTES
    seconds = _SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head = True
        self._head_bytes = 0
        self._moved = 0.0
        """When the last piece of a body came."""
        self._slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._slow = self.loop.call_later(self.seconds, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._more(len(data))
        elif self.cycle is not None and self.cycle.more_body:
            self._moved = self.loop.time()
            self._slow = self._slow or self.loop.call_later(self.seconds, self._late)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._slow is not None:
            self._stop()
        super().on_headers_complete()

    def _more(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self.most_bytes:
            wrong = f"The request's head has more than {self.most_bytes} bytes."
            self._refuse(HeadTooLarge(wrong, hint="Send fewer headers."))
        elif self._slow is None:
            self._slow = self.loop.call_later(self.seconds, self._late)

    def _late(self) -> None:
        self._slow = None
        if not self._in_head:
            self._body_late()
        elif self._head_bytes:
            wrong = f"The request's head did not come within {self.seconds:g} s."
            self._refuse(HeadTooSlow(wrong, hint="Send it at once."))
        else:
            self.transport.close()

    def _body_late(self) -> None:
        """The endpoint hears that its caller has left; nobody else could answer in its place."""
        if self.cycle is None or not self.cycle.more_body:
            return
        quiet = 0.0 if self.flow.read_paused else self.loop.time() - self._moved
        if quiet >= self.seconds:
            self.transport.close()
        else:
            self._slow = self.loop.call_later(self.seconds - quiet, self._late)

    def _refuse(self, error: InvalidInput) -> None:
        """Answer, unless the answer to the request before is on its way, and close."""
        self._stop()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_answer(getattr(self, "url", b""), error))
        self.transport.close()

    def _stop(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


def _answer(path: bytes, error: InvalidInput) -> bytes:
    answer = answer_for(path.decode("latin-1"), error)
    status = HTTPStatus(answer.status_code)
    headers = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
    line = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\n".encode()
    return line + headers + b"\r\n" + bytes(answer.body)
