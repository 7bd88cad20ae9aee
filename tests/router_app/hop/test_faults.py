"""Faults on the way: a reset at any byte, silence, bodies larger than either side takes, and TLS that is not right."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from modelscan.errors import UpstreamFailed, UpstreamTimedOut
from router_app.hop.connection import Limits
from router_app.upstream import UpstreamAnswer
from tests.router_app.hop.test_pool import told
from tests.router_app.hop.wires import Wire, body_of, hung_up, pooled, request_on, scripted, served
from tests.router_app.routers import eventually

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata: \r\n4\r\n{}\n\n\r\n0\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


async def read_into(seen: bytearray, answer: UpstreamAnswer) -> None:
    try:
        while chunk := await answer.read():
            seen += chunk
    finally:
        await answer.aclose()


@pytest.mark.parametrize("answer", [STREAM, WHOLE])
def test_a_reset_or_an_end_at_any_byte_is_noticed(answer: bytes) -> None:
    body = b"data: {}\n\n" if answer is STREAM else b"hello"

    async def story() -> None:
        resets: list[bool] = []

        async def serve(wire: Wire) -> None:
            await request_on(wire)
            await wire.send(answer[: wire.number // 2])
            resets.append(wire.number % 2 == 1)
            if resets[-1]:
                wire.reset()

        async with served(serve) as server, pooled() as upstream:
            for number in range(2 * len(answer)):
                seen = bytearray()
                with pytest.raises(UpstreamFailed):
                    await read_into(seen, await upstream.send("POST", server.url, [], b""))
                assert body.startswith(seen), number
                assert len(server.connections) == number + 1, "none of them is used again"

    told(story)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", STREAM[:60]])
def test_silence_ends(said: bytes) -> None:
    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(said)
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled(idle=0.1) as upstream:
            with pytest.raises(UpstreamFailed, match=r"nothing came for 0\.1 s"):
                await body_of(await upstream.send("POST", server.url, [], b""))

    told(story)


def test_slow_is_not_silent() -> None:
    async def serve(wire: Wire) -> None:
        await request_on(wire)
        for at in range(0, len(STREAM), 8):
            await wire.send(STREAM[at : at + 8])
            await asyncio.sleep(0.05)
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled(limits=Limits(10.0, 0.3)) as upstream:
            assert await body_of(await upstream.send("POST", server.url, [], b"")) == b"data: {}\n\n"

    told(story)


def test_a_trickle_of_headers_is_no_first_byte() -> None:
    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\n")
        while not wire.reader.at_eof():
            with suppress(ConnectionError):
                await wire.send(b"x-more: 1\r\n")
            await asyncio.sleep(0.02)

    async def story() -> None:
        async with served(serve) as server, pooled(limits=Limits(0.2, 10.0)) as upstream:
            with pytest.raises(UpstreamTimedOut, match=r"nothing came for 0\.2 s"):
                await upstream.send("POST", server.url, [], b"")

    told(story)


@pytest.mark.parametrize("pieces", [(), (STREAM[:-20],)])
def test_an_exchange_takes_no_longer_than_it_may(pieces: tuple[bytes, ...]) -> None:
    async def story() -> None:
        async with served(scripted(pieces)) as server, pooled() as upstream:
            with pytest.raises(UpstreamTimedOut, match=r"it took longer than 0\.2 s in all"):
                await body_of(await upstream.send("POST", server.url, [], b"", 0.2))

    told(story)


def test_a_later_exchange_of_a_connection_has_its_own_time() -> None:
    async def story() -> None:
        async with served(scripted([STREAM], [STREAM[:-20]])) as server, pooled() as upstream:
            assert await body_of(await upstream.send("POST", server.url, [], b"")) == b"data: {}\n\n"
            with pytest.raises(UpstreamTimedOut, match=r"0\.1 s in all"):
                await body_of(await upstream.send("POST", server.url, [], b"", 0.1))

    told(story)


def test_what_has_begun_is_still_to_be_read() -> None:
    async def story() -> None:
        async with served(scripted([STREAM])) as server, pooled() as upstream:
            answer = await upstream.send("POST", server.url, [], b"")
            await answer.begun()
            assert await body_of(answer) == b"data: {}\n\n"

    told(story)


def test_what_breaks_off_before_it_has_begun_says_so_at_once() -> None:
    async def story() -> None:
        whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        async with served(scripted([whole], stay=False)) as server, pooled() as upstream:
            answer = await upstream.send("POST", server.url, [], b"")
            with pytest.raises(UpstreamFailed, match="closed"):
                await answer.begun()
            await answer.aclose()

    told(story)


def test_a_slow_reader_holds_the_sender_back_and_is_not_called_silent() -> None:
    size, sent = 32 * 2**20, [0]

    async def serve(wire: Wire) -> None:
        await request_on(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 65_536):
            await wire.send(b"x" * 65_536)
            sent[0] += 65_536
        await hung_up(wire)

    async def story() -> None:
        limits = Limits(0.2, 0.2, waiting_bytes=100_000)
        async with served(serve) as server, pooled(limits=limits) as upstream:
            answer = await upstream.send("POST", server.url, [], b"")
            before = -1
            while sent[0] != before:  # until the sender stands still, past the time of silence
                before = sent[0]
                await asyncio.sleep(0.3)
            assert before < size / 2
            assert len(await body_of(answer)) == size

    told(story)


def test_a_large_body_goes_out_as_it_is_taken() -> None:
    body = bytes(range(256)) * 2**17

    async def serve(wire: Wire) -> None:
        _, seen = await request_on(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"same" if seen == body else b"else")

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            assert await body_of(await upstream.send("POST", server.url, [], body)) == b"same"

    told(story)


def test_a_refusal_may_come_before_all_was_sent() -> None:
    async def serve(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r\n\r\n")
        await wire.send(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            answer = await upstream.send("POST", server.url, [], b"x" * 2**25)
            assert (answer.status, await body_of(answer)) == (413, b"no")

    told(story)


def test_a_refusal_may_also_come_while_a_large_body_is_being_taken() -> None:
    async def serve(wire: Wire) -> None:
        await wire.reader.readuntil(b"\r\n\r\n")
        await wire.reader.readexactly(2**21)
        await wire.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled() as upstream:
            answer = await upstream.send("POST", server.url, [], b"x" * 2**26)
            assert (answer.status, await body_of(answer)) == (413, b"no")
            # What was left unsaid would be taken for the next request.
            assert len(server.connections) == 1
            with pytest.raises(UpstreamFailed):
                await upstream.send("POST", "http://127.0.0.1:9/", [], b"")

    told(story)


def test_an_answer_larger_than_what_may_wait_can_come_in_one_piece() -> None:
    async def story() -> None:
        whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000
        async with served(scripted([whole], [whole])) as server, pooled(limits=Limits(waiting_bytes=1000)) as upstream:
            for _ in range(2):
                assert await body_of(await upstream.send("POST", server.url, [], b"")) == b"x" * 5000
            assert len(server.connections) == 1

    told(story)


def test_tls_is_checked_and_names_the_host(certificate: Path) -> None:
    named: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    server_side.sni_callback = lambda _connection, name, _context: named.append(name)
    knows = ssl.create_default_context(cafile=str(certificate))

    async def story() -> None:
        async with served(scripted([WHOLE]), context=server_side) as server:
            right = server.url.replace("127.0.0.1", "localhost")
            async with pooled(context=knows, allowed=["127.0.0.1", "localhost"]) as upstream:
                assert await body_of(await upstream.send("POST", right, [], b"")) == b"hello"
                with pytest.raises(UpstreamFailed, match="certificate"):
                    await upstream.send("POST", server.url, [], b"")
            async with pooled(allowed=["localhost"]) as stranger:
                with pytest.raises(UpstreamFailed, match="certificate"):
                    await stranger.send("POST", right, [], b"")
        assert named[0] == "localhost"

    told(story)


def test_a_connection_that_is_not_taken_in_time_is_given_up() -> None:
    async def serve(wire: Wire) -> None:
        await hung_up(wire)

    async def story() -> None:
        async with served(serve) as server, pooled(connect_seconds=0.1) as upstream:
            url = server.url.replace("http:", "https:")
            with pytest.raises(UpstreamFailed, match=r"within 0\.1 s"):
                await upstream.send("POST", url, [], b"")
            await eventually(lambda: server.connections)

    told(story)
