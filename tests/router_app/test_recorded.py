"""Recorded exchanges, replayed through a real router: each byte as it came, or what the other SDK makes of it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseIncompleteEvent,
    ResponseRefusalDeltaEvent,
    ResponseTextDeltaEvent,
)

from tests.readings import Reading, chat_read, chunks_read, data_of, events_read, message_read, response_read
from tests.recordings import FIXTURES, RECORDED, Recording, fixture, recording
from tests.router_app.standing import Standing, answering, cut_at, provider_of, standing

pytestmark = pytest.mark.peer
# Of protocols that no provider is served in, of other endpoints, errors, and one that begins two answers.
OTHER = r"sse_fixtures/(cohere|google|openairesponses|openaiembedding)|error\.json|transcription|spliced"
SERVED = ("openai_chat", "anthropic_messages")
PATHS = {"openai_chat": "/v1/chat/completions", "anthropic_messages": "/v1/messages"}
NAMES = [name for name, protocol in RECORDED if protocol in SERVED]
HELLO: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), SERVED, retries=0) as found:
        yield found


def replayed(stood: Standing, one: Recording, every: int | None) -> tuple[httpx2.Response, bytes]:
    """(the router's answer to the request that was recorded, what it asked the provider)"""
    body = dumped({**one.asked, "model": f"{provider_of(one.protocol)}/echo"})
    act(stood, one, every)
    path = PATHS[one.protocol]

    async def story() -> httpx2.Response:
        return await stood.router.http.post(path, content=body, headers={"content-type": "application/json"})

    return stood.tell(story), stood.upstream.asked[-1][1]


def act(stood: Standing, one: Recording, every: int | None) -> None:
    cuts = cut_at(one.body, every) if every else None
    stood.upstream.act = answering(one.body, status=one.status, kind=one.kind, headers=one.headers, cuts=cuts)


def dumped(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def read(one: Recording) -> Reading:
    """What the recording itself says."""
    if one.stream:
        return (chunks_read if one.protocol == "openai_chat" else events_read)(data_of(one.body))
    return (chat_read if one.protocol == "openai_chat" else message_read)(json.loads(one.body))


@pytest.mark.parametrize("name", NAMES)
def test_each_byte_reaches_a_caller_of_the_same_protocol_wherever_it_is_cut(stood: Standing, name: str) -> None:
    one = with_usage(recording(name))
    for every in (None, 1, 7, 1001):
        answer, asked = replayed(stood, one, every)
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (one.status, one.kind, one.body)
        for header, value in one.headers.items():
            shown = {"x-request-id": "x-upstream-request-id", "server": ""}.get(header, header)
            assert answer.headers.get(shown) == (value if shown else None)
        assert asked == dumped({**one.asked, "model": "echo"})
        row = stood.last_row()
        assert (row["request_id"], row["status"]) == (answer.headers["x-request-id"], one.status)
        if one.status == 200:
            assert stood.last_usage() == read(one).usage


@pytest.mark.parametrize("name", [name for name, protocol in RECORDED if protocol == "openai_chat"])
def test_who_did_not_ask_for_usage_gets_each_byte_but_its_chunk(stood: Standing, name: str) -> None:
    one = recording(name)
    one.asked.pop("stream_options", None)
    answer, asked = replayed(stood, one, 11)
    events = one.body.split(b"\n\n") if one.stream else [one.body]
    shown = [event for event in events if not (b'"choices":[]' in event and b'"usage":{' in event)]
    assert answer.content == b"\n\n".join(shown)
    told = {"stream_options": {"include_usage": True}} if one.asked.get("stream") else {}
    assert asked == dumped({**told, **one.asked, "model": "echo"})
    if one.status == 200:
        assert stood.last_usage() == read(one).usage


def with_usage(one: Recording) -> Recording:
    """With a request that asks for usage, so that none is hidden."""
    if one.stream and one.protocol == "openai_chat":
        one.asked["stream_options"] = {"include_usage": True}
    return one


async def openais(stood: Standing, model: str) -> Reading:
    """What OpenAI's client makes of an answer."""
    whole = await stood.openai.chat.completions.create(model=model, messages=HELLO)
    return chat_read(whole.model_dump())


async def openais_stream(stood: Standing, model: str) -> Reading:
    """What OpenAI's client makes of a stream: chunk by chunk, and gathered by itself."""
    asked: Any = {"model": model, "messages": HELLO, "stream_options": {"include_usage": True}}
    streamed = await stood.openai.chat.completions.create(**asked, stream=True)
    said = chunks_read([chunk.model_dump() async for chunk in streamed])
    if said.stop in ("end", "tool"):  # At any other end it raises instead of gathering.
        async with stood.openai.chat.completions.stream(**asked) as stream:
            assert chat_read((await stream.get_final_completion()).model_dump()) == said
    return said


async def claudes(stood: Standing, model: str) -> Reading:
    """What Anthropic's client makes of an answer."""
    whole = await stood.claude.messages.create(model=model, messages=HELLO, max_tokens=9)
    return message_read(whole.model_dump())


async def claudes_stream(stood: Standing, model: str) -> Reading:
    """What Anthropic's client makes of a stream: event by event, and gathered by itself."""
    async with stood.claude.messages.stream(model=model, messages=HELLO, max_tokens=9) as stream:
        final = message_read((await stream.get_final_message()).model_dump())
    streamed = await stood.claude.messages.create(model=model, messages=HELLO, max_tokens=9, stream=True)
    assert events_read([event.model_dump() async for event in streamed]) == final
    return final


async def responses(stood: Standing, model: str) -> Reading:
    """What OpenAI's client makes of an answer as a response."""
    whole = await stood.openai.responses.create(model=model, input="hi")
    return response_read(whole.model_dump())


async def responses_stream(stood: Standing, model: str) -> Reading:
    """What OpenAI's client makes of a stream of a response: by its deltas, and at its end."""
    events = [event async for event in await stood.openai.responses.create(model=model, input="hi", stream=True)]
    last = events[-1]
    assert isinstance(last, ResponseCompletedEvent | ResponseIncompleteEvent)
    final = response_read(last.response.model_dump())
    said = [event for event in events if isinstance(event, ResponseTextDeltaEvent | ResponseRefusalDeltaEvent)]
    assert "".join(event.delta for event in said) == final.text
    return final


OTHERS = {
    ("openai_chat", False): (claudes, responses),
    ("openai_chat", True): (claudes_stream, responses_stream),
    ("anthropic_messages", False): (openais, responses),
    ("anthropic_messages", True): (openais_stream, responses_stream),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_sdks_of_the_other_protocols_make_of_it_what_it_says(stood: Standing, name: str) -> None:
    check_translated(stood, recording(name))


def check_translated(stood: Standing, one: Recording) -> None:
    act(stood, one, 7)
    for ask in OTHERS[one.protocol, one.stream]:
        check_asked(stood, one, partial(ask, stood, f"{provider_of(one.protocol)}/echo"))


def check_asked(stood: Standing, one: Recording, ask: Callable[[], Awaitable[Reading]]) -> None:
    if one.status == 200:
        said = read(one)
        assert stood.tell(ask) == said.with_zeros()
        assert stood.last_usage() == said.usage
        return
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as told:
        stood.tell(ask)
    assert isinstance(told.value, openai.APIStatusError | anthropic.APIStatusError)
    assert told.value.status_code == one.status
    assert json.loads(one.body)["error"]["message"] in told.value.message


@pytest.mark.parametrize("name", [name for name in FIXTURES if not re.search(OTHER, name)])
def test_answers_and_streams_of_more_providers_reach_the_sdks(stood: Standing, name: str) -> None:
    found = fixture(name)
    assert found
    for one in found:
        answer, _ = replayed(stood, with_usage(one), 7)
        assert answer.content == one.body
        assert stood.last_usage() == read(one).usage
        check_translated(stood, one)


def test_an_answer_that_begins_anew_before_its_end_is_an_error_to_the_other_sdk(stood: Standing) -> None:
    (one,) = fixture("sse_fixtures/anthropic__spliced-message-start.chunks.txt")
    answer, _ = replayed(stood, one, 7)
    assert answer.content == one.body
    act(stood, one, 7)
    with pytest.raises(openai.APIError, match="began another answer"):
        stood.tell(lambda: openais_stream(stood, "anthropic-messages/echo"))
