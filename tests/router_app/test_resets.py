"""A provider's connection that ends at any byte of its answer, and requests that their callers give up."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.router_app.hop.wires import Wire
from tests.router_app.leftovers import nothing_left
from tests.router_app.standing import Standing, raw, standing
from tests.router_app.test_chaos import CHAT, MESSAGES, Asked, ask

STREAM = b'data: {"model":"m","choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'
WHOLE = b'{"choices":[{"message":{"content":"a"}}]}'
KINDS = {True: b"text/event-stream", False: b"application/json"}


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), (CHAT, MESSAGES), retries=0) as found:
        yield found


def answer_of(*, stream: bool, length: bool) -> bytes:
    body = STREAM if stream else WHOLE
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    framing = b"content-length: %d" % len(body) if length else b"transfer-encoding: chunked"
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n\r\n%b" % (KINDS[stream], framing, body if length else framed)


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_a_whole_answer_that_ends_at_any_byte_is_an_error(
    stood: Standing, caller: str, length: bool, reset: bool
) -> None:
    answer = answer_of(stream=False, length=length)

    async def story() -> None:
        async with nothing_left(stood):
            for size in range(len(answer)):
                stood.upstream.act = raw(answer[:size], reset=reset)
                told = await ask(stood, Asked(caller, CHAT, stream=False))
                assert (told.status_code, told.json()["error"]["code"]) == (502, "upstream-failed"), size

    stood.tell(story)


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_a_stream_that_ends_at_any_byte_is_told_as_far_as_it_came_and_ends_with_an_error(
    stood: Standing, caller: str, length: bool, reset: bool
) -> None:
    answer = answer_of(stream=True, length=length)
    # A translation has read a line where it ends; who passes it on waits for the blank one.
    last = answer.index(b"[DONE]\n\n") + len(b"[DONE]\n") - (caller != CHAT)

    async def story() -> None:
        async with nothing_left(stood):
            for size in range(len(answer)):
                stood.upstream.act = raw(answer[:size], reset=reset)
                told = await ask(stood, Asked(caller, CHAT, stream=True))
                if told.status_code == 502:
                    assert size <= answer.index(b"\n\ndata"), size
                    assert told.json()["error"]["code"] == "upstream-failed"
                    continue
                assert told.status_code == 200
                failed = '"code": "upstream-failed"' in told.text
                assert failed == (size <= last), (size, told.text)
                if failed:
                    assert json.loads(told.text.splitlines()[-2][6:])["error"]["message"], size
                else:
                    assert told.text.endswith(("[DONE]\n\n", '{"type":"message_stop"}\n\n'))

    stood.tell(story)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_a_caller_who_leaves_takes_the_request_to_the_provider_along(
    stood: Standing, caller: str, stream: bool
) -> None:
    asked = Asked(caller, CHAT, stream)
    answer = answer_of(stream=stream, length=True)

    async def story() -> None:
        async with nothing_left(stood):
            for size in (0, 20, answer.index(b"\r\n\r\n") + 4, len(answer) - 30):
                came = asyncio.Event()

                async def act(wire: Wire, size: int = size, came: asyncio.Event = came) -> None:
                    await wire.send(answer[:size])
                    came.set()

                stood.upstream.act = act
                left = asyncio.create_task(ask(stood, asked))
                await came.wait()
                left.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await left

    stood.tell(story)
