"""Bodies of 50 MB and heads of 10,000 lines, both ways: in bounded time and memory, and nothing is left behind."""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.router_app.hop.wires import Wire
from tests.router_app.leftovers import nothing_left
from tests.router_app.standing import Standing, answering, standing
from tests.router_app.test_chaos import CHAT, MESSAGES, PATHS, Asked, ask
from tests.router_app.test_corners import END, SAID, USAGE, chunk, framed

SIZE = 50 * 2**20
EVENT = framed(chunk({"content": "x" * 65_000}), done=False)
SECONDS = 10.0


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), (CHAT, MESSAGES), retries=0) as found:
        yield found


@contextmanager
def bounded(mebibytes: int) -> Iterator[None]:
    """Fails where this process, the router and both its peers, needs more beyond what it had."""
    Path("/proc/self/clear_refs").write_text("5")  # The high-water mark begins anew.
    before, began = _peak(), time.perf_counter()
    yield
    took, more = time.perf_counter() - began, (_peak() - before) / 1024
    assert more < mebibytes
    assert took < SECONDS


def _peak() -> int:
    """KiB"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


async def sent(body: bytes, piece: int = 2**20) -> AsyncIterator[bytes]:
    for at in range(0, len(body), piece):
        yield body[at : at + piece]


def a_request(provider: str, size: int) -> bytes:
    head = json.dumps({"model": f"{provider}/echo", "max_tokens": 9, "messages": []})[:-3]
    body = f'{head}[{{"role": "user", "content": "{{}}"}}]}}'
    return body.replace("{}", "x" * (size - len(body) + 2), 1).encode()


@pytest.mark.parametrize(("provider", "mebibytes"), [(MESSAGES, 400), (CHAT, 400)])
def test_a_request_of_50_mib_reaches_the_provider(stood: Standing, provider: str, mebibytes: int) -> None:
    body = a_request(provider.replace("_", "-"), SIZE)
    assert len(body) == SIZE
    stood.upstream.act = answering(Asked(MESSAGES, provider, stream=False).good)

    async def story() -> None:
        async with nothing_left(stood):
            answer = await stood.router.http.post(PATHS[MESSAGES], content=sent(body))
            assert answer.json()["content"][0]["text"] == "Good day."

    with bounded(mebibytes):
        stood.tell(story)
    received = stood.upstream.asked.pop()[1]
    assert received.count(b"x") == body.count(b"x")


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
@pytest.mark.parametrize("size", [SIZE + 1, 4 * SIZE])
def test_a_larger_one_is_refused_in_the_callers_words(stood: Standing, caller: str, size: int) -> None:
    async def story() -> None:
        async with nothing_left(stood):
            asked = len(stood.upstream.asked)
            answer = await stood.router.http.post(PATHS[caller], content=blank(size))
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")
            assert len(stood.upstream.asked) == asked

    async def blank(size: int) -> AsyncIterator[bytes]:
        piece = bytes(2**20)
        for _ in range(size // len(piece)):
            yield piece
        yield piece[: size % len(piece)]

    with bounded(150):
        stood.tell(story)


def a_completion(size: int) -> bytes:
    message = {"role": "assistant", "content": "x" * size}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}).encode()


@pytest.mark.parametrize(("caller", "mebibytes"), [(CHAT, 250), (MESSAGES, 300)])
def test_an_answer_of_50_mib_reaches_the_caller(stood: Standing, caller: str, mebibytes: int) -> None:
    act = stood.upstream.act = answering(a_completion(SIZE))

    async def story() -> None:
        async with nothing_left(stood):
            answer = await ask(stood, Asked(caller, CHAT, stream=False))
            assert (answer.status_code, answer.content.count(b"x" * 64)) == (200, SIZE // 64)
            assert caller == MESSAGES or answer.content == act.body

    with bounded(mebibytes):
        stood.tell(story)
    assert stood.last_row()["completion_tokens"] == 2


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_an_answer_beyond_all_measure_is_an_error(stood: Standing, caller: str) -> None:
    async def endless(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        for _ in range(200):
            await wire.send(bytes(2**20))

    async def story() -> None:
        async with nothing_left(stood):
            stood.upstream.act = endless
            answer = await ask(stood, Asked(caller, CHAT, stream=False))
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")

    with bounded(300):
        stood.tell(story)


def test_a_small_answer_that_unpacks_beyond_all_measure_is_an_error(stood: Standing) -> None:
    packing = zlib.compressobj(1)
    packed = b"".join([*(packing.compress(bytes(2**20)) for _ in range(130)), packing.flush()])

    async def story() -> None:
        async with nothing_left(stood):
            stood.upstream.act = answering(packed, headers={"content-encoding": "deflate"})
            answer = await ask(stood, Asked(CHAT, CHAT, stream=False))
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")

    with bounded(200):
        stood.tell(story)


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_a_stream_of_50_mib_passes_without_piling_up(stood: Standing, caller: str) -> None:
    async def long(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        await wire.send(*[EVENT] * (SIZE // len(EVENT)), framed(END, chunk(usage=USAGE)))
        wire.writer.close()

    async def story() -> None:
        stood.upstream.act = long
        seen, last = 0, b""
        asked: Any = {"model": "openai-chat/echo", "stream": True, "max_tokens": 9, "messages": []}
        asked["messages"] = [{"role": "user", "content": "hi"}]
        async with nothing_left(stood), stood.router.http.stream("POST", PATHS[caller], json=asked) as answer:
            async for piece in answer.aiter_raw():
                seen, last = seen + piece.count(b"x" * 100), piece
        assert seen >= SIZE // len(EVENT) * 600
        assert last.rstrip().endswith((b"[DONE]", b'{"type":"message_stop"}'))

    with bounded(48):
        stood.tell(story)


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_one_event_of_50_mib_passes_or_is_an_error(stood: Standing, caller: str) -> None:
    act = stood.upstream.act = answering(
        framed(SAID[0], chunk({"content": "x" * SIZE}), END), kind="text/event-stream", cuts=range(0, SIZE, 100_000)
    )

    async def story() -> None:
        async with nothing_left(stood):
            answer = await ask(stood, Asked(caller, CHAT, stream=True))
            if caller == CHAT:
                assert answer.content == act.body
            else:
                assert "beyond all measure" in json.loads(answer.text.splitlines()[-2][6:])["error"]["message"]

    with bounded(300):
        stood.tell(story)


def test_a_caller_may_send_10_000_headers(stood: Standing) -> None:
    body = a_request("openai-chat", 200)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200\r\n"

    async def story() -> None:
        async with nothing_left(stood):
            stood.upstream.act = answering(Asked(CHAT, CHAT, stream=False).good)
            host, port = stood.router.url[7:].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(head + b"".join(b"x-%d: y\r\n" % n for n in range(10_000)) + b"\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            assert answer.startswith(b"HTTP/1.1 200")

    stood.tell(story)
