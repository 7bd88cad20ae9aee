"""Sends requests over connections that are kept alive, an idle one first, and a new one where there is none."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

import anyio
import httpx2

from modelscan import __version__
from modelscan.errors import UpstreamFailed, UpstreamTimedOut
from modelscan.sources.http import Resolve, checked_addresses
from router_app.hop.address import Address, Origin, address_of, address_with_query
from router_app.hop.connection import Broken, Connection, Limits
from router_app.upstream import WITHIN_SECONDS, Headers, LibraryUpstream, Upstream, UpstreamAnswer

__all__ = ["PooledUpstream"]

_CONNECT_SECONDS = 10.0
_KEPT_SECONDS = 30.0
_MOST_IDLE = 256
_OWN = f"user-agent: modelscan/{__version__}\r\naccept: */*\r\naccept-encoding: identity".encode()
_OWN_LINES = 6


class _OnlyHttp2(Exception):
    """The server refused HTTP/1.1 when it was connected to."""


@cache
def _tls() -> ssl.SSLContext:
    """One of its own: libraries change what theirs offers."""
    context = httpx2.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class PooledUpstream:
    """An `Upstream` over our own connections; `allowed_private`, which hosts may be private, is read at each connect.

    It speaks HTTP/1.1, follows no redirect, keeps no cookie and heeds no proxy of the environment. A server that
    insists on HTTP/2 is spoken to by `library`, from then on.
    """

    def __init__(
        self,
        allowed_private: Collection[str],
        *,
        limits: Limits | None = None,
        connect_seconds: float = _CONNECT_SECONDS,
        kept_seconds: float = _KEPT_SECONDS,
        most_idle: int = _MOST_IDLE,
        context: ssl.SSLContext | None = None,
        resolve: Resolve = anyio.getaddrinfo,
        library: Callable[[], Upstream] | None = None,
    ) -> None:
        self._allowed = allowed_private
        self._limits = limits or Limits()
        self._connect_seconds = connect_seconds
        self._kept_seconds = kept_seconds
        self._most_idle = most_idle
        self._context = context
        self._resolve = resolve
        self._make_library = library or (lambda: LibraryUpstream(allowed_private, http2=True))
        self._library: Upstream | None = None
        self._of_library: set[str] = set()
        self._idle: dict[str, deque[tuple[float, Connection]]] = {}
        """By the key of the origin."""
        self._count = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(
        self, method: str, url: str, headers: Headers, body: bytes, within: float = WITHIN_SECONDS
    ) -> UpstreamAnswer:
        """Send and wait for the head of the answer; raises UpstreamFailed, UpstreamTimedOut, HostRefused.

        A request on a connection that the other side had closed meanwhile is sent once more, on a new one.
        """
        address = _address(url)
        if address.origin.key in self._of_library:
            return await self._by_library(address.origin, method, url, headers, body, within)
        head = _head(method, address, headers, len(body))
        connection = self._taken(address.origin)
        if connection is not None:
            try:
                await connection.ask(head, body, within)
                return PooledAnswer(self, address.origin, connection)
            except Broken as error:
                if not error.unanswered:
                    raise _failed(address.origin, error) from error
        try:
            connection = await self._connected(address.origin, within)
        except _OnlyHttp2:
            return await self._by_library(address.origin, method, url, headers, body, within)
        try:
            await connection.ask(head, body, within)
            return PooledAnswer(self, address.origin, connection)
        except Broken as error:
            if connection.speaks_http2:  # What it was sent was no request in its eyes.
                return await self._by_library(address.origin, method, url, headers, body, within)
            raise _failed(address.origin, error) from error

    async def aclose(self) -> None:
        """Close what is idle; what is in use is closed when its reader lets go of it."""
        self._closed = True
        if self._sweeper:
            self._sweeper.cancel()
        for waiting in self._idle.values():
            for _, connection in waiting:
                connection.abort()
        self._idle.clear()
        if self._library:
            await self._library.aclose()

    def let_go(self, origin: Origin, connection: Connection) -> None:
        """Take a connection back whose answer was read, or close it."""
        if not connection.reusable or self._closed or self._count >= self._most_idle:
            connection.abort()
            return
        waiting = self._idle.get(origin.key)
        if waiting is None:
            waiting = self._idle[origin.key] = deque()
        waiting.append((connection.loop.time(), connection))
        self._count += 1
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(self._kept_seconds, self._sweep)

    async def _by_library(self, origin: Origin, *asked: Any) -> UpstreamAnswer:
        self._of_library.add(origin.key)
        self._library = self._library or self._make_library()
        return await self._library.send(*asked)

    def _taken(self, origin: Origin) -> Connection | None:
        """The idle connection that was used last: the others can grow old and go."""
        waiting = self._idle.get(origin.key)
        while waiting:
            _, connection = waiting.pop()
            self._count -= 1
            if connection.open:
                return connection
        return None

    async def _connected(self, origin: Origin, within: float) -> Connection:
        seconds = min(self._connect_seconds, within)
        try:
            async with asyncio.timeout(seconds):
                addresses = await checked_addresses(origin.host, origin.port, self._allowed, resolve=self._resolve)
                return await self._first(origin, addresses)
        except ssl.SSLError as error:
            if "no application protocol" in str(error).lower().replace("_", " "):  # Python has no constant for it.
                raise _OnlyHttp2 from error
            raise _failed(origin, Broken(error.strerror or str(error))) from error
        except TimeoutError as error:
            words = f"it could not be connected to within {seconds:g} s"
            raise _failed(origin, Broken(words, late=True)) from error
        except OSError as error:
            raise _failed(origin, Broken(error.strerror or str(error) or type(error).__name__)) from error

    async def _first(self, origin: Origin, addresses: list[str]) -> Connection:
        for address in addresses[:-1]:
            try:
                return await self._to(origin, address)
            except OSError:
                continue
        return await self._to(origin, addresses[-1])

    async def _to(self, origin: Origin, address: str) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._limits),
            address,
            origin.port,
            ssl=(self._context or _tls()) if origin.tls else None,
            server_hostname=origin.host if origin.tls else None,
        )
        return connection

    def _sweep(self) -> None:
        """Close what was idle for too long, and forget what the other side closed."""
        now = asyncio.get_running_loop().time()
        self._sweeper = None
        for key, waiting in tuple(self._idle.items()):
            while waiting and (now - waiting[0][0] >= self._kept_seconds or not waiting[0][1].open):
                waiting.popleft()[1].abort()
                self._count -= 1
            if not waiting:
                del self._idle[key]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(self._kept_seconds / 2, self._sweep)


class PooledAnswer:
    """An answer whose head has come, and whose body is coming."""

    def __init__(self, pool: PooledUpstream, origin: Origin, connection: Connection) -> None:
        self._pool = pool
        self._origin = origin
        self._connection: Connection | None = connection
        self.status = connection.status
        self.headers: Headers = connection.headers

    def whole(self) -> bytes | None:
        """The body, where all of it has come by now and none of it was read."""
        return self._connection.whole() if self._connection is not None else None

    async def begun(self) -> None:
        """Return once the body has begun, or is over; raises UpstreamFailed, UpstreamTimedOut."""
        assert self._connection is not None
        try:
            await self._connection.begun()
        except Broken as error:
            await self.aclose()
            raise _failed(self._origin, error) from error
        except BaseException:
            await self.aclose()
            raise

    async def read(self) -> bytes:
        """The body's next bytes, as they arrive; nothing at its end. Raises UpstreamFailed when it breaks off."""
        assert self._connection is not None
        try:
            return await self._connection.read()
        except Broken as error:
            raise _failed(self._origin, error) from error

    async def aclose(self) -> None:
        """Let go of it, read to its end or not."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.let_go(self._origin, connection)


def _address(url: str) -> Address:
    try:
        return address_with_query(url) if "?" in url else address_of(url)
    except ValueError as error:
        raise UpstreamFailed(
            "The provider's address is no http(s) URL.", hint="Add the provider again with another address.", host=url
        ) from error


def _head(method: str, address: Address, headers: Headers, length: int) -> bytes:
    first = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b" % (method.encode(), address.target, address.host, _OWN)
    lines = [first, *map(b": ".join, headers), b"content-length: %d\r\n\r\n" % length]
    head = b"\r\n".join(lines)
    if not head.count(b"\n") == head.count(b"\r") == len(headers) + _OWN_LINES + 1 or b"\0" in head:
        # Which one is not said: it may hold the key.
        raise UpstreamFailed(
            f"A header for {address.origin} is none.",
            hint="A key must be one line of plain characters.",
            host=str(address.origin),
        )
    return head


def _failed(origin: Origin, error: Broken) -> UpstreamFailed:
    kind = UpstreamTimedOut if error.late else UpstreamFailed
    return kind(
        f"{origin} could not be reached or broke off: {str(error).rstrip('.')}.",
        hint="Try again; GET /health and `modelscan providers` show what is known of it.",
        host=str(origin),
    )
