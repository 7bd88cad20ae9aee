"""The way to the provider: a small interface, and a library client behind it."""

import asyncio
import ssl
from collections.abc import Collection, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

import httpcore2
import httpx2

from modelscan import __version__
from modelscan.errors import UpstreamFailed, UpstreamTimedOut
from modelscan.sources.http import GuardedBackend, tls

__all__ = ["WITHIN_SECONDS", "LibraryUpstream", "Upstream", "UpstreamAnswer"]

Headers = Sequence[tuple[bytes, bytes]]

WITHIN_SECONDS = 1800.0
"""What an exchange may take in all, unless it is said."""
_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 600.0
"""Models that reason think for minutes before the first byte."""


class UpstreamAnswer(Protocol):
    """An answer whose head has come, and whose body is coming."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers:
        """Their names in lower case."""
        ...

    def whole(self) -> bytes | None:
        """The body, where all of it has come by now and none of it was read; it need not be read any more, then."""
        ...

    async def begun(self) -> None:
        """Return once the body has begun, or is over; raises UpstreamFailed. What has begun is still to be read."""
        ...

    async def read(self) -> bytes:
        """The body's next bytes, as they arrive; nothing at its end. Raises UpstreamFailed when it breaks off."""
        ...

    async def aclose(self) -> None:
        """Let go of it, read to its end or not."""
        ...


class Upstream(Protocol):
    """Sends requests to providers."""

    async def send(
        self, method: str, url: str, headers: Headers, body: bytes, within: float = WITHIN_SECONDS
    ) -> UpstreamAnswer:
        """Send and wait for the head of the answer; raises UpstreamFailed, UpstreamTimedOut, HostRefused.

        The whole exchange, body and all, may take `within` seconds.
        """
        ...

    async def aclose(self) -> None: ...


class LibraryUpstream:
    """httpx2 with a pool of its own; `allowed_private`, which hosts may be private, is read at each connect."""

    def __init__(
        self, allowed_private: Collection[str], *, http2: bool = False, context: ssl.SSLContext | None = None
    ) -> None:
        # The library has its context offer HTTP/2, or not: one that offers it is shared with nobody.
        context = context or (httpx2.create_ssl_context() if http2 else tls())
        transport = httpx2.AsyncHTTPTransport(verify=context, trust_env=False)
        transport._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            http2=http2,
            max_connections=None,
            max_keepalive_connections=256,
            keepalive_expiry=30.0,
            retries=1,
            network_backend=GuardedBackend(allowed_private),
        )
        self._client = httpx2.AsyncClient(
            transport=transport,
            timeout=httpx2.Timeout(_IDLE_SECONDS, connect=_CONNECT_SECONDS),
            headers={"user-agent": f"modelscan/{__version__}", "accept-encoding": "identity"},
            # What one caller's answer sets is never sent with another's request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def send(
        self, method: str, url: str, headers: Headers, body: bytes, within: float = WITHIN_SECONDS
    ) -> UpstreamAnswer:
        until = asyncio.get_running_loop().time() + within
        try:
            request = self._client.build_request(method, url, headers=list(headers), content=body)
            async with asyncio.timeout_at(until):
                return _LibraryAnswer(await self._client.send(request, stream=True), until)
        except (httpx2.TransportError, httpx2.InvalidURL, TimeoutError) as error:
            raise _failed(url, error) from error

    async def aclose(self) -> None:
        await self._client.aclose()


class _LibraryAnswer:
    def __init__(self, response: httpx2.Response, until: float) -> None:
        self._response = response
        self._until = until
        self._chunks = response.aiter_raw()
        self._first: bytes | None = None
        self.status = response.status_code
        self.headers = [(name.lower(), value) for name, value in response.headers.raw]

    def whole(self) -> None:
        """It is read piece by piece."""

    async def begun(self) -> None:
        self._first = await self._next()

    async def read(self) -> bytes:
        chunk, self._first = self._first or await self._next(), None
        return chunk

    async def _next(self) -> bytes:
        """Empty at the end."""
        try:
            async with asyncio.timeout_at(self._until):
                return await anext(self._chunks, b"")
        except (httpx2.TransportError, TimeoutError) as error:
            raise _failed(str(self._response.url), error) from error

    async def aclose(self) -> None:
        await self._response.aclose()


def _failed(url: str, error: Exception) -> UpstreamFailed:
    late = isinstance(error, httpx2.TimeoutException | TimeoutError)
    host = (not isinstance(error, httpx2.InvalidURL) and httpx2.URL(url).netloc.decode()) or url
    # A local fault is named only: its text quotes the header that held the key.
    local = isinstance(error, httpx2.LocalProtocolError)
    words = type(error).__name__ if local else str(error).rstrip(".") or type(error).__name__
    return (UpstreamTimedOut if late else UpstreamFailed)(
        f"{host} could not be reached or broke off: {words}.",
        hint="Try again; GET /health and `modelscan providers` show what is known of it.",
        host=host,
    )
