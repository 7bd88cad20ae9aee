"""Providers that take their time: what takes too long is an error within its limit, and what is only slow is right."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.router_app.hop.wires import Wire, hung_up, request_on
from tests.router_app.leftovers import nothing_left
from tests.router_app.standing import Act, Standing, standing
from tests.router_app.test_chaos import CHAT, HELLO, MESSAGES, PATHS, STREAMS, WAYS, Asked, ask, error_of

QUIET, TOTAL = 0.4, 1.6
"""Seconds: to the first byte, and between two; in all."""
SLACK = 3.0
"""Of a busy machine."""


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    limits = {"first_byte_seconds": QUIET, "idle_seconds": QUIET, "total_seconds": TOTAL}
    with standing(tmp_path_factory.mktemp("router"), (CHAT, MESSAGES), retries=0, **limits) as found:
        yield found


@dataclass(frozen=True)
class Slow:
    """What the provider sends of its answer, and what becomes of it: of a whole one, and of a stream."""

    sends: Callable[[Asked, bytes], list[bytes | float]]
    """(as it was asked, the whole answer) -> pieces, and pauses in seconds; it never hangs up."""
    whole: str
    stream: str
    seconds: float


def trickled(data: bytes, pause: float, pieces: int) -> list[bytes | float]:
    step = -(-len(data) // pieces)
    return [one for at in range(0, len(data), step) for one in (data[at : at + step], pause)]


def begun(asked: Asked, answer: bytes) -> bytes:
    """The head and the first half of the body."""
    return answer[: len(answer) - len(asked.good) // 2]


LATE = ("late", "late")
FOREVER: list[bytes | float] = [b": wait\n\n", 0.05]
CASES = {
    "says nothing": Slow(lambda *_: [], "late", "late", QUIET),
    "sends half a head": Slow(lambda asked, _: [asked.head], "late", "late", QUIET),
    "sends a head alone": Slow(lambda asked, _: [asked.head, b"content-length: 9\r\n\r\n"], "late", "late", QUIET),
    "trickles its head": Slow(lambda asked, _: trickled(asked.head + b"x: y\r\n" * 99, 0.05, 99), *LATE, QUIET),
    "stops within its answer": Slow(lambda asked, answer: [begun(asked, answer)], "late", "ends", QUIET),
    "keeps alive without end": Slow(lambda asked, _: [asked.head, b"\r\n", *FOREVER * 99], "late", "ends", TOTAL),
    "is slow": Slow(lambda _, answer: trickled(answer, 0.03, 20), "right", "right", 20 * 0.03),
}


def acting(stood: Standing, slow: Slow) -> Act:
    async def act(wire: Wire) -> None:
        head, body = stood.upstream.asked[-1]
        provider = MESSAGES if b"/v1/messages" in head.splitlines()[0] else CHAT
        asked = Asked(CHAT, provider, stream=json.loads(body).get("stream") is True)
        answer = asked.head + b"content-length: %d\r\n\r\n" % len(asked.good) + asked.good
        for piece in slow.sends(asked, answer):
            if isinstance(piece, bytes):
                await wire.send(piece)
            else:
                await asyncio.sleep(piece)  # It is what is tested.
        await hung_up(wire)

    return act


@pytest.mark.parametrize("name", CASES)
def test_a_provider_that(stood: Standing, name: str) -> None:
    slow = CASES[name]

    async def one(asked: Asked) -> None:
        began = time.perf_counter()
        answer = await ask(stood, asked)
        told = (asked, answer.status_code, answer.text[-300:])
        wanted = slow.stream if asked.stream else slow.whole
        if not asked.same and wanted == "ends" and answer.status_code != 200:
            wanted = "late"  # Nothing of it could be translated.
        if wanted == "right":
            assert (answer.status_code, "upstream" in answer.text, "day." in answer.text) == (200, False, True), told
        elif wanted == "late":
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream-timeout"), told
            assert error_of(asked, answer.json())
        else:
            last = json.loads(answer.text.splitlines()[-2].removeprefix("data: "))
            assert (answer.status_code, last["error"]["code"]) == (200, "upstream-timeout"), told
            assert error_of(asked, last)
        assert slow.seconds * 0.9 < time.perf_counter() - began < slow.seconds + SLACK

    async def story() -> None:
        async with nothing_left(stood), asyncio.TaskGroup() as group:
            stood.upstream.act = acting(stood, slow)
            for caller, provider in WAYS:
                for stream in (False, True):
                    group.create_task(one(Asked(caller, provider, stream)))

    stood.tell(story)


def test_a_provider_that_does_not_take_a_large_request_is_given_up(stood: Standing) -> None:
    large = json.dumps({"model": "openai-chat/echo", "messages": [{"role": "user", "content": "x" * 2**24}]}).encode()

    async def story() -> None:
        over = asyncio.Event()

        async def take_nothing(_: Wire) -> tuple[bytes, bytes]:
            await over.wait()
            raise ConnectionAbortedError

        async with nothing_left(stood):
            stood.upstream.take = take_nothing
            answer = await stood.router.http.post(PATHS[CHAT], content=large)
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream-timeout")
            over.set()

    try:
        stood.tell(story)
    finally:
        stood.upstream.take = request_on


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_a_caller_who_reads_nothing_holds_the_provider_back_and_may_leave(stood: Standing, caller: str) -> None:
    event = STREAMS[CHAT].split(b"\n\n")[0] + b"\n\n"
    sent = [0]

    async def endless(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            await wire.send(event * 400)
            sent[0] += 400 * len(event)

    async def story() -> None:
        stood.upstream.act = endless
        host, port = stood.router.url[7:].split(":")
        body = json.dumps({"model": "openai-chat/echo", "stream": True, "max_tokens": 9, "messages": HELLO}).encode()
        async with nothing_left(stood):
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            head = f"POST {PATHS[caller]} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await reader.readuntil(b"\r\n\r\n")
            before = -1
            while sent[0] != before:
                before = sent[0]
                await asyncio.sleep(0.2)  # Until it stands still.
            assert before < 64 * 2**20
            writer.transport.abort()

    stood.tell(story)
