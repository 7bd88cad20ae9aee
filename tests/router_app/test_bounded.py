"""Heads of requests have a limit on their size and their time, and bodies do not stand still; all else is uvicorn's."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from modelscan.reference.server import listen
from router_app import serve
from router_app.bounded import BoundedHttp

FIRST = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n"
WHOLE = FIRST + b"content-length: 2\r\n\r\nhi"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Small(BoundedHttp):
    most_bytes = 2000
    seconds = 0.1


class Patient(Small):
    """For what must not run into a limit, on a busy machine either."""

    seconds = 0.5


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers once the body has come, or waits until its caller has left."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    while scope["path"] == "/wait" and (await receive())["type"] != "http.disconnect":
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def talking(http: type[Small]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, http=http, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    with listen() as listening:
        task = asyncio.create_task(server._serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = server.force_exit = True
            with suppress(asyncio.CancelledError):
                await task


def tell(talk: Talk, http: type[Small] = Small) -> None:
    async def story() -> None:
        async with asyncio.timeout(10), talking(http) as (reader, writer):
            await talk(reader, writer)

    uvloop.run(story())


async def answered(reader: asyncio.StreamReader) -> bytes:
    """The next answer of the application's."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"ok"
    return head


def test_the_service_is_served_with_it() -> None:
    assert serve._server(app).config.http is BoundedHttp


@pytest.mark.parametrize("lines", [b"x-a: y\r\n" * 400, b"x-long: " + b"y" * 4000])
def test_a_head_without_end_is_refused_in_the_callers_words(lines: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FIRST)
        await writer.drain()
        for at in range(0, len(lines), 500):
            writer.write(lines[at : at + 500])
            await writer.drain()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        error = json.loads(body)
        assert (error["type"], error["error"]["code"]) == ("error", "head-too-large")

    tell(talk)


@pytest.mark.parametrize("begun", [b"", b"GE", FIRST])
@pytest.mark.parametrize("before", [0, 2])
def test_a_head_that_does_not_come_is_not_waited_for(begun: bytes, before: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(before):
            writer.write(WHOLE)
            await answered(reader)
        writer.write(begun)
        if before and not begun:
            return  # Between requests uvicorn's own limit counts.
        last = await reader.read()
        assert last.startswith(b"HTTP/1.1 408 Request Timeout\r\n") == bool(begun)
        assert (b"head-too-slow" in last) == bool(begun)

    tell(talk)


def test_heads_in_pieces_bodies_and_requests_in_a_row_are_served() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            for at in range(0, len(WHOLE), 20):
                writer.write(WHOLE[at : at + 20])
                await writer.drain()
            assert (await answered(reader)).startswith(b"HTTP/1.1 200")
        large = FIRST + b"content-length: 90000\r\n\r\n" + b"x" * 90_000
        writer.write(large + WHOLE)
        assert (await answered(reader)).startswith(b"HTTP/1.1 200")
        assert (await answered(reader)).startswith(b"HTTP/1.1 200")

    tell(talk, Patient)


@pytest.mark.parametrize("body", [b"content-length: 9\r\n\r\nhi", b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"])
def test_a_body_that_stands_still_is_not_waited_for_and_one_that_moves_is(body: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FIRST + b"content-length: 15\r\n\r\n")
        for _ in range(15):
            writer.write(b"x")
            await asyncio.sleep(Patient.seconds / 12)  # It is what is tested: longer than the limit in all.
        await answered(reader)
        writer.write(FIRST + body)
        assert await reader.read() == b""

    tell(talk, Patient)


NO_HTTP = [
    (b"hello\r\n\r\n", "urn:modelscan:invalid-input"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "urn:modelscan:invalid-input"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "invalid_request_error"),
    (b"GET /v1/chat/completions HTTP/one\r\n\r\n", "invalid_request_error"),
    (FIRST + b"no header\r\n\r\n", "error"),
    (FIRST.replace(b" HTTP", b"?beta=true HTTP") + b"transfer-encoding: chunked\r\n\r\nno size\r\n", "error"),
]


@pytest.mark.parametrize(("sent", "kind"), NO_HTTP)
@pytest.mark.parametrize("before", [0, 1])
def test_what_is_no_http_is_refused_in_json_in_the_callers_shape(sent: bytes, kind: str, before: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(before):
            writer.write(WHOLE.replace(b"/v1/messages", b"/"))
            await answered(reader)
        writer.write(sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n")
        assert f"content-length: {len(body)}".encode() in head
        told = json.loads(body)
        assert (told if "type" in told else told["error"])["type"] == kind
        assert b"What came is no HTTP request." in body

    tell(talk, Patient)


@pytest.mark.parametrize("more", [b"hello\r\n\r\n", FIRST + b"transfer-encoding: chunked\r\n\r\nno size\r\n"])
def test_no_refusal_is_written_before_the_answer_to_a_request_before(more: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE.replace(b"/v1/messages", b"/wait") + more)
        assert await reader.read() == b""

    tell(talk)


def test_no_error_is_written_into_the_answer_to_the_request_before() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE.replace(b"/v1/messages", b"/wait") + FIRST + b"x: y\r\n" * 1000)
        assert await reader.read() == b""

    tell(talk)
