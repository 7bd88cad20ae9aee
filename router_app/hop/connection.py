"""One HTTP/1.1 connection: a request goes out, its answer's head comes, then its body as it arrives."""

import asyncio
import re
from typing import NamedTuple, cast

import httptools

__all__ = ["Broken", "Connection", "Limits"]

_SLICE = 256 * 1024
"""A body larger than this is written piece by piece, as the other side takes it."""
_SETTINGS = re.compile(rb"\0\0.\x04\0\0\0\0\0", re.DOTALL)
"""The frame with which every server of HTTP/2 begins, whatever it was asked: settings, no flags, stream 0."""


class Limits(NamedTuple):
    """How long may pass and how much may come."""

    first_byte_seconds: float = 600.0
    """From the end of the request to the first byte of the answer's body: models that reason think for minutes."""
    idle_seconds: float = 300.0
    """Without a byte after that."""
    head_bytes: int = 64 * 1024
    """Of status line and headers; trailers count too."""
    waiting_bytes: int = 256 * 1024
    """Of a body that its reader has not taken; more is left with the sender."""


class Broken(Exception):
    """The connection failed. `unanswered`: before any byte of the answer came; `late`: a time limit ran out."""

    def __init__(self, words: str, *, unanswered: bool = False, late: bool = False) -> None:
        super().__init__(words)
        self.unanswered = unanswered
        self.late = late


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; `reusable` says whether it may carry another."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._longest_wait = min(limits.first_byte_seconds, limits.idle_seconds)
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False
        self.speaks_http2 = False
        """Whether it began in HTTP/2, which is not spoken here."""
        self._reset(busy=False)

    def _reset(self, *, busy: bool) -> None:
        self._busy = busy
        # llhttp goes on from one answer to the next; a fresh parser costs 0.5 µs and cannot be in a strange state.
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._head_done = False
        self._answering = False
        self._body_began = False
        self._until_eof = False
        self._keep = False
        self._complete = False
        self._fault: Broken | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._taken = False
        """Whether some of the body was read."""
        self._paused = False

    # The exchange, as the pool and the answer's reader see it.

    @property
    def reusable(self) -> bool:
        """Whether the last answer came whole and the connection stays open."""
        return self._complete and self._keep and not self._lost and self._fault is None

    @property
    def open(self) -> bool:
        """Whether it can carry a request, as far as is known."""
        return not self._lost

    async def ask(self, head: bytes, body: bytes, within: float) -> None:
        """Send a request and wait for the head of its answer: `status` and `headers`. Raises Broken.

        `within` is how many seconds the whole exchange may take, body and all. Where this fails, or is cancelled, the
        connection is closed.
        """
        self._reset(busy=True)
        try:
            transport = self._transport
            if transport is None or self._lost:
                raise Broken("it was closed meanwhile", unanswered=True)
            self._active = self._sent = now = self.loop.time()
            self._until, self._within = now + within, within
            if self._timer is None or self._timer.when() > self._until:
                self._stop_timer()
                self._timer = self.loop.call_later(min(self._longest_wait, within), self._look)
            if len(body) <= _SLICE:
                transport.write(head + body)
            else:
                await self._write_slowly(transport, head, body)
            while not self._head_done:
                if self._fault:
                    raise self._fault
                await self._news()
        except BaseException:
            self.abort()
            raise

    def whole(self) -> bytes | None:
        """The body, where all of it has come by now and none of it was read."""
        if not self._complete or self._taken:
            return None
        if len(self._pieces) != 1:  # Once: it is asked for twice.
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    async def begun(self) -> None:
        """Return once a byte of the body is there, or its end. Raises Broken."""
        while not self._pieces and not self._complete:
            if self._fault:
                raise self._fault
            await self._news()

    async def read(self) -> bytes:
        """The body's next bytes, as they arrive; nothing at its end. Raises Broken after what came before the fault."""
        while not self._pieces:
            if self._complete:
                return b""
            if self._fault:
                raise self._fault
            await self._news()
        self._taken = True
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._paused:
            self._paused = False
            self._active = self.loop.time()
            assert self._transport is not None
            self._transport.resume_reading()
        return data

    def abort(self) -> None:
        """Close at once; what is under way is lost."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()
        self._lost = True

    async def _write_slowly(self, transport: asyncio.Transport, head: bytes, body: bytes) -> None:
        view = memoryview(body)
        transport.write(head)
        for start in range(0, len(body), _SLICE):
            # A refusal may come before all is sent; then the rest is not waited for.
            if self._fault or self._head_done:
                return
            transport.write(view[start : start + _SLICE])
            await self._writable.wait()
            self._active = self._sent = self.loop.time()

    def _news(self) -> asyncio.Future[None]:
        """Done as soon as anything more is known. One at a time awaits it."""
        self._waiter = waiter = self.loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class

    def data_received(self, data: bytes) -> None:
        if not self._answering and _SETTINGS.match(data):
            self.speaks_http2 = True
            self._break("it speaks HTTP/2 alone")
            return
        if not self._busy or self._complete:
            self._break("it sent what nobody had asked for")
            return
        self._active = self.loop.time()
        self._answering = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._break("it changed to another protocol")
            return
        except httptools.HttpParserError as error:
            # What came whole before the fault stands.
            if not self._complete:
                self._break(f"it did not answer in HTTP/1.1: {error.__context__ or error}")
            self._keep = False
            return
        if not self._head_done:
            self._head_bytes += len(data)
            self._check_head()

    def eof_received(self) -> bool:
        if self._until_eof and self._head_done and not self._complete and self._fault is None:
            self._finish(keep=False)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._stop_timer()
        self._writable.set()
        if self._busy and not self._complete:
            self._fault = self._fault or Broken(
                "it closed the connection" if error is None else str(error) or type(error).__name__,
                unanswered=not self._answering,
            )
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._limits.head_bytes:
            raise ValueError(f"more than {self._limits.head_bytes} bytes of headers")
        if not self._head_done:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return  # 100 and 103 come before the answer; a 101 is told as an upgrade.
        names = {name for name, _ in self.headers}
        self._until_eof = not names & {b"content-length", b"transfer-encoding"} and self.status not in (204, 304)
        self._head_done = True
        self._wake()

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._body_began = True
        self._waiting += len(data)
        if self._waiting > self._limits.waiting_bytes and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self.status < 200:
            self.headers.clear()
            self._head_bytes = 0
        else:
            self._finish(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        self._complete = True
        self._keep = keep
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._wake()

    def _check_head(self) -> None:
        if self._head_bytes > self._limits.head_bytes:
            self._break(f"its headers have more than {self._limits.head_bytes} bytes")

    def _break(self, words: str, *, late: bool = False) -> None:
        self._fault = self._fault or Broken(words, late=late)
        self.abort()
        self._wake()

    def _look(self) -> None:
        """Whether a time limit has run out. One timer serves all exchanges; it is hardly ever moved, only looked at."""
        self._timer = None
        if self._lost or not self._busy or self._complete:
            return
        limits, now = self._limits, self.loop.time()
        if self._body_began:
            limit, since = limits.idle_seconds, now if self._paused else self._active
        else:
            limit, since = limits.first_byte_seconds, self._sent
        if now >= self._until:
            self._break(f"it took longer than {self._within:.3g} s in all", late=True)
        elif now - since >= limit:
            self._break(f"nothing came for {limit:g} s", late=True)
        else:
            wait = min(since + limit, self._until) - now
            self._timer = self.loop.call_later(min(wait, self._longest_wait), self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
