"""Servers of plain bytes: each connection is a function of its streams, so that nothing mends what it sends."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from router_app.hop import PooledUpstream
from router_app.hop.connection import Limits
from router_app.upstream import UpstreamAnswer

__all__ = ["Wire", "body_of", "hung_up", "pooled", "request_on", "scripted", "served"]

Serve = Callable[["Wire"], Awaitable[None]]


@dataclass
class Wire:
    """One accepted connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    """How many connections came before it."""

    async def send(self, *pieces: bytes) -> None:
        """Each piece on its own way: the other side may see them apart."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """End it with an RST."""
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@dataclass
class Served:
    url: str
    connections: list[Wire] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return self.url.rsplit("/", 2)[0]


@asynccontextmanager
async def served(serve: Serve, *, context: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """`serve` is called for each connection, which is closed when it returns."""
    told = Served("")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer, len(told.connections))
        told.connections.append(wire)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(wire)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    told.url = f"{'https' if context else 'http'}://127.0.0.1:{port}/v1/chat?a=b"
    try:
        yield told
    finally:
        server.close()
        for wire in told.connections:
            wire.writer.transport.abort()


async def request_on(wire: Wire) -> tuple[bytes, bytes]:
    """(head, body) of the next request."""
    head = await wire.reader.readuntil(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    return head, await wire.reader.readexactly(int(lines[b"content-length"]))


async def hung_up(wire: Wire) -> None:
    """Return once the other side has closed it."""
    while await wire.reader.read(65_536):
        pass


def scripted(*answers: Sequence[bytes], stay: bool = True) -> Serve:
    """Answers the requests of one connection with these pieces, one after the other; then waits, or closes."""

    async def serve(wire: Wire) -> None:
        for pieces in answers:
            await request_on(wire)
            await wire.send(*pieces)
        if stay:
            await hung_up(wire)

    return serve


@asynccontextmanager
async def pooled(
    *, idle: float = 5.0, allowed: Sequence[str] = ("127.0.0.1",), **more: object
) -> AsyncIterator[PooledUpstream]:
    """A client that may reach the loopback."""
    settings: dict[str, object] = {"limits": Limits(idle, idle), "connect_seconds": 5.0, **more}
    upstream = PooledUpstream(allowed, **settings)  # type: ignore[arg-type]  # the tests' own words
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def body_of(answer: UpstreamAnswer) -> bytes:
    """All of it, let go of at the end."""
    body = b""
    try:
        while chunk := await answer.read():
            body += chunk
        return body
    finally:
        await answer.aclose()
