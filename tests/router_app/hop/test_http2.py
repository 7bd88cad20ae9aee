"""A server that insists on HTTP/2 is spoken to by a library's client."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from modelscan.errors import UpstreamFailed
from router_app.upstream import LibraryUpstream
from tests.router_app.hop.test_pool import told
from tests.router_app.hop.wires import Wire, body_of, pooled, served

NO_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"
"""TLS's fatal alert 120: the client offered no protocol that the server speaks."""


async def http2(wire: Wire, asked: list[tuple[dict[bytes, bytes], bytes]]) -> None:
    """Answers each request with `hello`; who speaks HTTP/1.1 is hung up on."""
    link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    link.initiate_connection()
    await wire.send(link.data_to_send())
    heads: dict[int, dict[bytes, bytes]] = {}
    bodies: dict[int, bytes] = {}
    while data := await wire.reader.read(65_536):
        try:
            events = link.receive_data(data)
        except h2.exceptions.ProtocolError:
            return
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                heads[event.stream_id], bodies[event.stream_id] = dict(event.headers), b""
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
            elif isinstance(event, h2.events.StreamEnded):
                asked.append((heads[event.stream_id], bodies[event.stream_id]))
                link.send_headers(event.stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
                link.send_data(event.stream_id, b"hello", end_stream=True)
        await wire.send(link.data_to_send())


@asynccontextmanager
async def insisting(certificate: Path, asked: list[Any]) -> AsyncIterator[Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])

    async def serve(wire: Wire) -> None:
        await http2(wire, asked)

    async with served(serve, context=context) as server:
        yield server


def knowing(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def test_it_is_noticed_and_remembered(certificate: Path) -> None:
    asked: list[Any] = []

    async def story() -> None:
        allowed = ["127.0.0.1", "localhost"]
        async with insisting(certificate, asked) as server:
            url = server.url.replace("127.0.0.1", "localhost")
            library = LibraryUpstream(allowed, http2=True, context=knowing(certificate))
            async with pooled(context=knowing(certificate), allowed=allowed, library=lambda: library) as upstream:
                for number in range(3):
                    answer = await upstream.send("POST", url, [(b"authorization", b"Bearer sk-1")], b"%d" % number)
                    await answer.begun()
                    assert (answer.status, await body_of(answer)) == (200, b"hello")
            assert len(server.connections) == 2  # One for the try, one for all that the library sends.

    told(story)
    assert [body for _, body in asked] == [b"0", b"1", b"2"]
    head = asked[0][0]
    assert (head[b":method"], head[b":path"], head[b"authorization"]) == (b"POST", b"/v1/chat?a=b", b"Bearer sk-1")
    assert head[b"user-agent"].startswith(b"modelscan/")


class Noting:
    """A library that notes what it is asked."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.closed = False

    async def send(self, method: str, url: str, *_: object) -> Any:
        self.urls.append(f"{method} {url}")
        return self

    async def aclose(self) -> None:
        self.closed = True


def test_a_refusal_within_the_handshake_is_understood() -> None:
    async def serve(wire: Wire) -> None:
        await wire.reader.read(1)
        await wire.send(NO_PROTOCOL)

    async def story() -> None:
        library: Any = Noting()
        async with served(serve) as server:
            url = server.url.replace("http:", "https:")
            async with pooled(library=lambda: library) as upstream:
                for _ in range(2):
                    assert await upstream.send("POST", url, [], b"") is library
            assert (library.urls, library.closed, len(server.connections)) == ([f"POST {url}"] * 2, True, 1)

    told(story)


def test_our_own_offers_http_1_alone() -> None:
    hello = bytearray()

    async def serve(wire: Wire) -> None:
        hello.extend(await wire.reader.read(65_536))

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            with pytest.raises(UpstreamFailed):
                await upstream.send("POST", server.url.replace("http:", "https:"), [], b"")

    told(story)
    assert b"\x08http/1.1" in hello
    assert b"\x02h2" not in hello
