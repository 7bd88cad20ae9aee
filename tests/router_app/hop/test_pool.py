"""Connections are kept, used again, replaced when stale, and closed when old, too many, or spoiled."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from modelscan.errors import HostRefused, UpstreamFailed
from router_app.hop import PooledUpstream
from router_app.hop.connection import Broken, Connection, Limits
from tests.router_app.hop.wires import Wire, body_of, hung_up, pooled, request_on, scripted, served
from tests.router_app.routers import eventually

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"


async def ask(upstream: PooledUpstream, url: str, body: bytes = b"{}") -> bytes:
    return await body_of(await upstream.send("POST", url, [(b"x-a", b"1")], body))


def told(story: Callable[[], Awaitable[None]]) -> None:
    async def timed() -> None:
        async with asyncio.timeout(20):
            await story()

    uvloop.run(timed())  # the router's own loop; the framing tests run on asyncio's


def test_a_request_says_what_it_must_and_nothing_of_ours() -> None:
    seen: list[bytes] = []

    async def serve(wire: Wire) -> None:
        head, body = await request_on(wire)
        seen.extend((head, body))
        await wire.send(ANSWER)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            await ask(upstream, server.url, b"asked")
            host = server.url.split("/")[2].encode()
            first, *lines = seen[0].strip().split(b"\r\n")
            assert first == b"POST /v1/chat?a=b HTTP/1.1"
            assert {b"host: " + host, b"content-length: 5", b"x-a: 1", b"accept-encoding: identity"} < set(lines)
            assert seen[1] == b"asked"

    told(story)


def test_a_connection_serves_one_request_after_the_other() -> None:
    async def story() -> None:
        async with served(scripted(*[[ANSWER]] * 5)) as server, pooled() as upstream:
            for _ in range(5):
                assert await ask(upstream, server.url) == b"ok"
            assert len(server.connections) == 1

    told(story)


def test_requests_at_once_have_a_connection_each_and_no_more_than_are_kept_stay() -> None:
    async def story() -> None:
        async with served(scripted(*[[ANSWER]] * 9)) as server, pooled(most_idle=2) as upstream:
            await asyncio.gather(*(ask(upstream, server.url) for _ in range(5)))
            assert len(server.connections) == 5
            await asyncio.gather(*(ask(upstream, server.url) for _ in range(3)))
            assert len(server.connections) == 6

    told(story)


@pytest.mark.parametrize("first", [[ANSWER], [CLOSING]])
def test_a_connection_that_the_other_side_closed_costs_no_request(first: list[bytes]) -> None:
    async def story() -> None:
        async with served(scripted(first, stay=False)) as server, pooled() as upstream:
            for _ in range(4):
                assert await ask(upstream, server.url) == b"ok"
            assert len(server.connections) == 4

    told(story)


def test_a_connection_that_dies_as_it_is_used_again_is_replaced_once() -> None:
    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(ANSWER)
        if wire.number == 0:
            await request_on(wire)  # and no answer: the other side's time was over
            wire.reset()
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            assert [await ask(upstream, server.url) for _ in range(2)] == [b"ok", b"ok"]
            assert len(server.connections) == 2

    told(story)


def test_a_new_connection_that_dies_is_a_failure_and_is_not_tried_again() -> None:
    async def serve(wire: Wire) -> None:
        await request_on(wire)
        wire.reset()

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            with pytest.raises(UpstreamFailed):
                await ask(upstream, server.url)
            assert len(server.connections) == 1

    told(story)


def test_a_request_that_was_half_answered_is_not_sent_twice() -> None:
    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(ANSWER)
        await request_on(wire)
        await wire.send(b"HTTP/1.1 200")
        wire.reset()

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            await ask(upstream, server.url)
            with pytest.raises(UpstreamFailed):
                await ask(upstream, server.url)
            assert len(server.connections) == 1

    told(story)


def test_an_idle_connection_is_closed_when_it_is_old() -> None:
    closed: list[int] = []

    async def serve(wire: Wire) -> None:
        await scripted([ANSWER])(wire)
        closed.append(wire.number)

    async def story() -> None:
        async with served(serve) as server, pooled(kept_seconds=0.05) as upstream:
            await ask(upstream, server.url)
            await eventually(lambda: closed)
            await ask(upstream, server.url)
            assert len(server.connections) == 2

    told(story)


def test_an_answer_that_is_let_go_before_its_end_takes_its_connection_with_it() -> None:
    gone: list[int] = []

    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n")
        await hung_up(wire)
        gone.append(wire.number)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            answer = await upstream.send("POST", server.url, [], b"")
            assert await answer.read() == b"he"
            await answer.aclose()
            await answer.aclose()
            await eventually(lambda: gone)

    told(story)


def test_a_body_is_there_as_a_whole_once_all_of_it_has_come_and_none_was_read() -> None:
    rest = asyncio.Event()

    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n")
        await rest.wait()
        await wire.send(b"3\r\nllo\r\n0\r\n\r\n")
        await request_on(wire)
        await wire.send(ANSWER)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            answer = await upstream.send("POST", server.url, [], b"")
            await answer.begun()
            assert answer.whole() is None
            rest.set()
            await eventually(lambda: answer.whole() == b"hello")
            assert await answer.read() == b"hello"
            assert answer.whole() is None
            await answer.aclose()
            assert answer.whole() is None
            answer = await upstream.send("POST", server.url, [], b"")
            await eventually(lambda: answer.whole() == b"ok")
            await answer.aclose()
            assert len(server.connections) == 1  # It was let go as one whose answer was read.

    told(story)


def test_a_caller_who_leaves_while_waiting_takes_the_connection_along() -> None:
    gone: list[int] = []

    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await hung_up(wire)
        gone.append(wire.number)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            asking = asyncio.create_task(upstream.send("POST", server.url, [], b""))
            await eventually(lambda: server.connections)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await eventually(lambda: gone)

    told(story)


def test_what_is_read_after_the_end_of_the_pool_is_still_whole() -> None:
    async def story() -> None:
        async with served(scripted([ANSWER])) as server:
            async with pooled() as upstream:
                answer = await upstream.send("POST", server.url, [], b"")
            assert await body_of(answer) == b"ok"

    told(story)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/v1",
        "http://name.invalid/v1",
        "nonsense",
        "http://[bad",
        "http://a:b@127.0.0.1/",
        "http://a\x00b/",
    ],
)
def test_what_cannot_be_reached_is_an_upstream_failure_that_names_the_host(url: str) -> None:
    async def story() -> None:
        async with pooled() as upstream:
            with pytest.raises(UpstreamFailed) as failed:
                await upstream.send("POST", url, [], b"")
            assert failed.value.hint
            assert failed.value.fields["host"]

    told(story)


def test_a_private_address_needs_the_operators_word() -> None:
    async def story() -> None:
        upstream = PooledUpstream([])
        with pytest.raises(HostRefused):
            await upstream.send("POST", "http://127.0.0.1:9/v1", [], b"")
        await upstream.aclose()

    told(story)


@pytest.mark.parametrize("key", [b"sk-canary\n0123", b"sk-canary\r0123", b"sk-canary\r\nx-b: 2", b"sk-canary\x00"])
def test_a_key_that_would_break_out_of_its_header_is_refused_and_not_said(key: bytes) -> None:
    async def story() -> None:
        async with served(scripted([ANSWER])) as server, pooled() as upstream:
            with pytest.raises(UpstreamFailed) as failed:
                await upstream.send("POST", server.url, [(b"authorization", b"Bearer " + key)], b"")
            assert "canary" not in str(failed.value) + repr(failed.value)
            assert server.connections == []

    told(story)


def test_the_next_address_of_a_name_is_tried_where_one_does_not_answer() -> None:
    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert host == "many.example"
        return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    async def story() -> None:
        async with (
            served(scripted([ANSWER])) as server,
            pooled(allowed=["many.example"], resolve=resolve) as upstream,
        ):
            assert await ask(upstream, server.url.replace("127.0.0.1", "many.example")) == b"ok"

    told(story)


def test_a_connection_that_was_lost_before_it_was_used_says_so() -> None:
    async def story() -> None:
        with pytest.raises(Broken, match="closed meanwhile"):
            await Connection(Limits()).ask(b"", b"", 1.0)

    told(story)


def test_one_that_speaks_unasked_is_not_used_again() -> None:
    async def serve(wire: Wire) -> None:
        await scripted([ANSWER], stay=False)(wire)
        await wire.send(b"HTTP/1.1 408 Too slow\r\n\r\n")
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            for number in range(3):
                assert await ask(upstream, server.url) == b"ok"
                await eventually(lambda: server.connections[number].reader.at_eof() or len(server.connections) > 3)  # noqa: B023

    told(story)
