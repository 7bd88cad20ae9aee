"""HTTP to the outside: no redirects, limited sizes, and no address that nobody trusted named."""

import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any

import anyio
import httpcore2
import httpx2

from modelscan import __version__
from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.json_body import json_of
from modelscan.sources.limited import Limited
from modelscan.types import Frozen

__all__ = [
    "NOT_REACHED",
    "Answer",
    "GuardedBackend",
    "Resolve",
    "ask",
    "checked_addresses",
    "host_port",
    "is_public",
    "open_client",
    "origin_of",
    "tls",
]

_MAX_BYTES = 16 * 2**20
"""models.dev's whole list has 2.4 MB; what parses from JSON takes up to twenty times its bytes."""
NOT_REACHED = "cannot be reached"
"""Stands in the words of each fault of the transport, and of no answer: only such a fault is worth another try."""
_MAX_SECONDS = 25.0
"""For one whole answer: the client's own timeout starts again with each chunk."""
_UNRESOLVED = "its name cannot be resolved"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SPECIAL = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20", "fec0::/10")
)
"""What Python 3.11 counts as global and no provider lives at: metadata services of clouds, relays, examples, sites."""
_ISATAP = (0x5EFE, 0x0200_5EFE)

# At DEBUG it writes down the headers of answers, and a provider may quote the key in one.
logging.getLogger("httpcore2").setLevel(logging.INFO)

Resolve = Callable[..., Awaitable[Sequence[tuple[Any, ...]]]]
"""As anyio.getaddrinfo."""


class Answer(Frozen):
    """One HTTP answer, read whole: `body` is its bytes, `json` what they parse to (None where they do not)."""

    status: int
    headers: dict[str, str]
    body: bytes
    json_body: Any = None


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to public addresses, and to the private `host:port`s (or hosts) that the operator allowed.

    The address is checked after the name is resolved, and the checked address is the one connected to, so that a name
    cannot answer differently the second time.
    """

    def __init__(
        self,
        allowed: Collection[str],
        *,
        resolve: Resolve = anyio.getaddrinfo,
        backend: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._backend = backend or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with anyio.fail_after(timeout):
                addresses = await checked_addresses(host, port, self._allowed, resolve=self._resolve)
        except OSError as error:  # A TimeoutError is one, too.
            raise httpcore2.ConnectError(str(error) or _UNRESOLVED) from error
        return await self._first(addresses, port, timeout, local_address, socket_options)

    async def _first(self, addresses: list[str], port: int, *more: Any) -> httpcore2.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, *more)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, *more)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


async def checked_addresses(
    host: str, port: int, allowed: Collection[str], *, resolve: Resolve = anyio.getaddrinfo
) -> list[str]:
    """The addresses of `host`, every one of them public unless the host, or its `host:port`, is allowed to be private.

    Raises HostRefused, and OSError where the name cannot be resolved.
    """
    if not 0 < port < 65536:
        raise OSError(f"{port} is no port")
    try:
        found = await resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(_UNRESOLVED) from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not {host, f"{host}:{port}", f"[{host}]:{port}"} & set(allowed):
        for address in addresses:
            _refuse_private(host, address)
    return addresses


def _refuse_private(host: str, address: str) -> None:
    if not is_public(address):
        raise HostRefused(
            f"{host} is at {address}, which is no public address.",
            hint="If it is yours, name it with --base-url, or list it in discovery.allowed_private_hosts.",
            host=host,
        )


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also where it wraps an IPv4 address in an IPv6 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or _translated(ip) or (ip.teredo[1] if ip.teredo else ip)
    special = any(ip in network for network in _SPECIAL)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or special)


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address behind a NAT64 one, as networks without IPv4 resolve names to, or an ISATAP one."""
    wraps = ip in _NAT64 or (int(ip) >> 32 & 0xFFFFFFFF) in _ISATAP
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if wraps else None


@cache
def tls() -> ssl.SSLContext:
    """Certificates are checked; to read the trusted ones takes 25 ms, so it is done once."""
    return httpx2.create_ssl_context()


def open_client(
    *, allowed_private: Collection[str] = (), timeout: float = 10.0, max_bytes: int | None = None
) -> httpx2.AsyncClient:
    """A client for sources and probes. `allowed_private`: hosts or host:ports. `timeout` in seconds a request.

    `max_bytes` limits each answer, for callers that read it other than by `ask`.
    """
    transport = httpx2.AsyncHTTPTransport(verify=tls(), trust_env=False)
    transport._pool = httpcore2.AsyncConnectionPool(
        ssl_context=tls(),
        max_connections=20,
        network_backend=GuardedBackend(allowed_private),
    )
    headers = {"user-agent": f"modelscan/{__version__}", "accept": "application/json"}
    return httpx2.AsyncClient(
        transport=Limited(transport, max_bytes) if max_bytes else transport,
        timeout=timeout,
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    )


async def ask(http: httpx2.AsyncClient, method: str, url: str, *, limit: int = _MAX_BYTES, **more: Any) -> Answer:
    """One request, its answer read whole.

    Raises SourceUnavailable on a transport fault, past `limit` bytes or after 25 s; HostRefused as the client does.
    """
    try:
        with anyio.fail_after(_MAX_SECONDS):
            async with http.stream(method, url, **more) as answer:
                body = await _read(answer, limit)
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError, TimeoutError) as error:
        raise SourceUnavailable(f"{_place(url)} {NOT_REACHED}: {_words(error)}.", url=url) from error
    return Answer(status=answer.status_code, headers=dict(answer.headers), body=body, json_body=json_of(body))


async def _read(answer: httpx2.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > limit:
            url = str(answer.url)
            raise SourceUnavailable(f"{url} answered more than {limit} bytes.", url=url)
    return bytes(body)


def _words(error: Exception) -> str:
    """The fault in words; a local one is named only, as its text quotes the header that held a key."""
    local = isinstance(error, httpx2.LocalProtocolError)
    return type(error).__name__ if local else str(error).rstrip(".") or type(error).__name__


def _place(url: str) -> str:
    try:
        return origin_of(url)
    except httpx2.InvalidURL:
        return "A URL that is none"


def host_port(url: str) -> str:
    """`host:port` of a URL, the form in which `open_client` is allowed one private server and no other."""
    parsed = httpx2.URL(url)
    port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
    host = parsed.raw_host.decode()  # as it is connected to
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def origin_of(url: str) -> str:
    """`scheme://host:port` of a URL, for messages and for comparing hosts."""
    parsed = httpx2.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode()}"
