"""A caller's connection, however its bytes are cut: requests in a row, kinds of answers, faults of the application."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from router_app.bounded import BoundedHttp
from router_app.cycle import LEFT, TASK, WHOLE
from tests.router_app.routers import eventually

GET = b"GET /a%20b?c=d HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = b"POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)})
        self.writes: list[bytes] = []
        self.closed = self.was_closed = False
        """At the end it is; and whether it was before the caller left."""

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """What comes is kept anyhow."""

    def resume_reading(self) -> None:
        """It never stopped."""


async def spoken(app: ASGIApp, pieces: Sequence[bytes]) -> Wire:
    """What becomes of a connection that brings these pieces."""
    state = ServerState()
    http = BoundedHttp(uvicorn.Config(app, lifespan="off", log_config=None), state, {})
    wire = Wire()
    http.connection_made(wire)
    for piece in pieces:
        if not wire.closed:
            http.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    wire.was_closed = wire.closed
    http.connection_lost(None)
    await eventually(lambda: not state.tasks)
    assert http not in state.connections
    return wire


def tell(app: ASGIApp, *pieces: bytes) -> Wire:
    return uvloop.run(spoken(app, pieces))


def cut(data: bytes, at: set[int]) -> list[bytes]:
    places = [0, *sorted(place for place in at if 0 < place < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """What was asked for, and the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    said = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} ".encode() + body
    headers = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def answering(*messages: Message) -> Answer:
    """An application that sends these messages."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def start(status: int = 200, **headers: str) -> Message:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": told}


def body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def told(said: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([GET, POST, CHUNKED]), min_size=1, max_size=4), st.sets(st.integers(1, 400)))
def test_requests_in_a_row_are_answered_in_their_order_however_their_bytes_are_cut(
    requests: list[bytes], at: set[int]
) -> None:
    said = {GET: b"GET /a b c=d ", POST: b"POST /v1/chat  hello", CHUNKED: b"POST /  hello"}
    wire = tell(echo, *cut(b"".join(requests), at))
    assert wire.written == b"".join(told(said[request]) for request in requests)


def test_an_answer_that_comes_as_a_whole_goes_out_in_one_write() -> None:
    assert tell(echo, POST).writes == [told(b"POST /v1/chat  hello")]


def test_who_is_answered_before_all_was_sent_may_send_the_rest_and_ask_again() -> None:
    app = answering(start(content_length="2"), body(b"hi"))
    answered = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
    assert tell(app, POST[:-3], POST[-3:-1], POST[-1:], GET).writes == [answered, answered]


def test_a_large_answer_goes_out_behind_its_head() -> None:
    large = b"x" * 100_000
    wire = tell(answering(start(content_length="100000"), body(large)), GET)
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", large]


@pytest.mark.parametrize(
    ("request_", "messages", "written", "closed"),
    [
        (
            GET,
            [start(), body(b"he", more=True), body(b"", more=True), body(b"llo")],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            False,
        ),
        (
            GET,
            [start(transfer_encoding="chunked"), body(b"")],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            False,
        ),
        (GET, [start(204), body(b"")], b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (GET, [start(299, content_length="0"), body(b"")], b"HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n", False),
        (
            b"HEAD" + GET[3:],
            [start(content_length="5"), body(b"hello")],
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            False,
        ),
        (b"HEAD" + GET[3:], [start(), body(b"hello")], b"HTTP/1.1 200 OK\r\n\r\n", False),
        (
            GET,
            [start(content_length="2", connection="close"), body(b"hi")],
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
            True,
        ),
        (
            GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
            [start(content_length="2"), body(b"hi")],
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
            True,
        ),
    ],
)
def test_answers_are_framed_as_they_say(request_: bytes, messages: list[Message], written: bytes, closed: bool) -> None:
    wire = tell(answering(*messages), request_)
    assert (wire.written, wire.was_closed) == (written, closed)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [body(b"first")],
        [start(x_a="two\r\nlines: 1"), body(b"")],
        [start(x_a="a\0b"), body(b"")],
    ],
)
def test_an_application_that_says_nothing_right_is_a_500(messages: list[Message], caplog: Any) -> None:
    wire = tell(answering(*messages), GET)
    assert wire.written.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert wire.written.endswith(b"\r\n\r\nInternal Server Error")
    assert caplog.record_tuples[0][1] == logging.ERROR


@pytest.mark.parametrize(
    "messages",
    [
        [start(content_length="5"), body(b"hi", more=True)],
        [start(content_length="5"), body(b"hi")],
        [start(content_length="1"), body(b"hi")],
        [start(), start()],
        [start(content_length="0"), body(b""), body(b"")],
    ],
)
def test_an_answer_that_goes_wrong_after_its_head_is_broken_off(messages: list[Message]) -> None:
    wire = tell(answering(*messages), GET)
    assert b"500" not in wire.written
    assert wire.was_closed


def test_a_caller_who_waits_to_be_told_to_go_on_is_told() -> None:
    asked = POST.replace(b"Content-Length", b"Expect: 100-continue\r\nContent-Length")
    assert tell(echo, asked).written == b"HTTP/1.1 100 Continue\r\n\r\n" + told(b"POST /v1/chat  hello")


def test_bytes_that_are_no_http_are_a_400_and_an_upgrade_is_answered_as_it_is() -> None:
    assert tell(echo, b"hello\r\n\r\n").written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    upgraded = GET.replace(b"host:", b"connection: upgrade\r\nupgrade: h2c\r\nhost:")
    assert tell(echo, upgraded).written == told(b"GET /a b c=d ")


def test_the_application_is_told_at_once_that_its_caller_has_left() -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        scope[LEFT] = lambda: heard.append("left")
        heard.append((await receive())["type"])
        await send(start())
        assert not scope[TASK].done()

    assert tell(app, POST).writes == []
    assert heard == ["left", "http.disconnect"]


def test_who_has_its_answer_is_not_said_to_have_left() -> None:
    heard: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope[LEFT] = lambda: heard.append("left")
        await echo(scope, receive, send)
        heard.append((await receive())["type"])

    tell(app, POST)
    assert heard == ["http.disconnect"]


def test_a_long_target_is_read_as_a_short_one() -> None:
    path = b"/" + b"x" * 1000
    assert tell(echo, GET.replace(b"/a%20b", path)).written == told(b"GET %b c=d " % path)


def test_what_is_told_waits_while_the_caller_takes_nothing() -> None:
    async def story() -> None:
        sent = asyncio.Event()

        async def app(_: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(start())
            await send(body(b"he", more=True))
            sent.set()
            await send(body(b"llo"))

        http = BoundedHttp(uvicorn.Config(app, lifespan="off", log_config=None), ServerState(), {})
        wire = Wire()
        http.connection_made(wire)
        http.data_received(POST)
        http.pause_writing()
        await asyncio.sleep(0.01)
        assert wire.writes == []
        http.resume_writing()
        await sent.wait()
        await asyncio.sleep(0)
        assert wire.written.endswith(b"3\r\nllo\r\n0\r\n\r\n")
        http.connection_lost(None)

    uvloop.run(story())


def test_an_answer_that_is_there_goes_out_without_messages_but_where_it_would_have_to_wait() -> None:
    said: list[bool] = []
    head = [(b"content-length", b"2")]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        said.append(scope[WHOLE](200, head, b"ok"))
        said.append(scope[WHOLE](200, head, b"no"))  # It was answered.
        if not said[-2]:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": b"ok"})

    async def story() -> None:
        http = BoundedHttp(uvicorn.Config(app, lifespan="off", log_config=None), ServerState(), {})
        wire = Wire()
        http.connection_made(wire)
        http.data_received(POST)
        await eventually(lambda: len(said) == 2)
        http.pause_writing()
        http.data_received(POST)
        await eventually(lambda: len(said) == 4)
        assert len(wire.writes) == 1
        http.resume_writing()
        await eventually(lambda: len(wire.writes) == 2)
        assert said == [True, False, False, False]
        assert wire.writes[0] == wire.writes[1]
        assert wire.writes[0].endswith(b"\r\n\r\nok")
        http.connection_lost(None)

    uvloop.run(story())


def test_a_scope_and_its_cycle_do_not_hold_each_other() -> None:
    kept: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(scope)
        await echo(scope, receive, send)

    tell(app, POST)
    assert WHOLE not in kept[0]
