"""One request and its answer on a caller's connection, as ASGI has them: a whole answer goes out in one write."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl

__all__ = ["LEFT", "TASK", "WHOLE", "Cycle"]

LEFT = "modelscan.left"
"""Of a scope: what is called as soon as the caller has left without the whole answer, where the application set it."""
TASK = "modelscan.task"
"""Of a scope: the task that answers. To look it up costs 1 µs."""

WHOLE = "modelscan.whole"
"""Of a scope: takes an answer that is there as a whole (status, headers, body), and says whether it did; where it did
not, the answer is sent as ASGI has it. To send it so costs three coroutines and two messages, which is 3 µs."""

_PHRASES = {int(one): one.phrase for one in HTTPStatus}
_STATUS_LINES = {status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}".encode() for status in range(100, 600)}
_TEXT = bytes(byte for byte in range(256) if byte >= 32 and byte != 127) + b"\t"
"""What may stand in a header's line."""
_SMALL = 64 * 1024
"""Bytes of a body that are copied behind their head; more is written on its own."""
_WITHOUT_BODY = frozenset({204, 304})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILED = b"Internal Server Error"
_log = logging.getLogger(__name__)


class _Connection(Protocol):
    """What a cycle needs of the connection that it is on."""

    transport: asyncio.Transport
    flow: FlowControl
    loop: asyncio.AbstractEventLoop

    def usual_lines(self) -> bytes:
        """The header lines that every answer has."""
        ...

    def answered(self) -> None:
        """The last byte was written."""
        ...

    def left(self, cycle: "Cycle") -> None:
        """The application has returned."""
        ...


class Cycle:
    """Of one request. In the place of uvicorn's own, which costs three times as much for an answer that comes whole."""

    __slots__ = (
        "_chunked",
        "_connection",
        "_expected",
        "_flow",
        "_head",
        "_news",
        "_started",
        "_transport",
        "_waiter",
        "_waits_for_100",
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
        "scope",
        "task",
    )

    def __init__(self, connection: _Connection, scope: Scope, *, keep_alive: bool, expects_100: bool) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._flow = connection.flow
        self.scope = scope
        self._waits_for_100 = expects_100
        self._news = False
        """Whether something came that `receive` has not told."""
        self._waiter: asyncio.Future[None] | None = None
        self._started = self._chunked = False
        self._expected = 0
        """Bytes of the answer's body that are still to come, where its length was told."""
        self._head = b""
        """Waits for the body, to go out with it."""
        self.task: asyncio.Task[None] | None = None
        self.body: bytes | bytearray = b""
        """What came of the request's body, and was not taken yet."""
        self.more_body = True
        self.keep_alive = keep_alive
        self.disconnected = self.response_complete = False

    @property
    def started(self) -> bool:
        """Whether its answer has begun."""
        return self._started

    # What the connection tells.

    def came(self, data: bytes) -> None:
        """A piece of the body."""
        if not self.body:
            self.body = data
        elif isinstance(self.body, bytearray):
            self.body += data
        else:
            self.body = bytearray(self.body) + data
        self.hear()

    def hear(self) -> None:
        """There is something to tell: a piece, the body's end, or that the caller has left."""
        self._news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def leave(self) -> None:
        """The caller has left."""
        self.disconnected = not self.response_complete
        self.hear()
        if self.disconnected and (told := self.scope.get(LEFT)) is not None:
            told()

    # What the application calls.

    async def run(self, app: ASGIApp) -> None:
        """Have the request answered, whatever becomes of it: at the edge, nothing goes beyond it."""
        self.scope[WHOLE] = self.whole
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 - as uvicorn has it: logged, and told the caller
            _log.error("a request failed", exc_info=error)
            await self._fail()
        else:
            if not (self.response_complete or self.disconnected):
                _log.error("a request was left without %s", "its end" if self._started else "an answer")
                await self._fail()
        finally:
            del self.scope[WHOLE]  # Else the cycle and its scope would hold each other, for the collector to find.
            self._connection.left(self)

    async def receive(self) -> Message:
        """The next piece of the request's body, once there is one; that the caller has left, or has its answer."""
        if self._waits_for_100 and not self._transport.is_closing():
            self._transport.write(_CONTINUE)
            self._waits_for_100 = False
        if not (self.disconnected or self.response_complete):
            self._flow.resume_reading()
            if not self._news:
                await self._some_news()
            self._news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """The head of the answer, then its body; waits while the caller takes nothing."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body" and self._started and not self.response_complete:
            self._tell(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self._started:
            self._begin(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"{kind} is not what comes next")

    def whole(self, status: int, headers: Any, body: bytes) -> bool:
        """Send all of an answer, unless that would have to wait, or something stands against it."""
        if self._started or self.disconnected or self._flow.write_paused:
            return False
        self._begin(status, headers)
        self._tell(body, more=False)
        return True

    async def _some_news(self) -> None:
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _fail(self) -> None:
        if self._started:
            self._transport.close()
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(_FAILED)),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": _FAILED})

    def _begin(self, status: int, headers: Any) -> None:
        """A head whose body comes as a whole waits for it; one whose body comes piece by piece goes out at once."""
        told, lines = dict(headers), [_STATUS_LINES[status], *map(b": ".join, headers)]
        closes = b"close" in told.get(b"connection", b"").lower()
        if not (self.keep_alive or closes):
            lines.append(b"connection: close")
        length = told.get(b"content-length")
        chunked = length is None and self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY
        if chunked and b"transfer-encoding" not in told:
            lines.append(b"transfer-encoding: chunked")
        head = b"\r\n".join(lines)
        # A value that holds a line's end would be a header of its own.
        if head.translate(None, _TEXT) != b"\r\n" * (len(lines) - 1):
            raise RuntimeError("a header holds what is no text")
        self._started, self._waits_for_100, self._chunked = True, False, chunked
        self._expected = int(length or 0)
        self.keep_alive = self.keep_alive and not closes
        head = b"%b\r\n%b\r\n" % (head, self._connection.usual_lines())
        if chunked:
            self._transport.write(head)
        else:
            self._head = head

    def _tell(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body, self._expected = b"", 0
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        else:
            self._expected -= len(body)
            if self._expected < 0 or (self._expected and not more):
                raise RuntimeError("the body is not as long as its head says")
        if head := self._head:
            self._head = b""
            if len(body) <= _SMALL:
                body = head + body
            else:
                self._transport.write(head)
        if body:
            self._transport.write(body)
        if not more:
            self.response_complete = True
            self.hear()
            if not self.keep_alive:
                self._transport.close()
            self._connection.answered()
