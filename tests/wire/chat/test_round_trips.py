"""What two protocols can both say survives the way from one to the other and back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from modelscan.wire.chat.answer import Answer, Event, events_of
from modelscan.wire.chat.parts import Thinking
from modelscan.wire.chat.request import ChatRequest, Target
from modelscan.wire.chat.spoke import body_of
from modelscan.wire.translation import SPOKES
from tests.wire.chat.chats import answers, requests
from tests.wire.chat.sdk_types import PROTOCOLS, check_answer, check_event, check_request

TARGET = Target("m")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=40)
@given(asked=requests())
def test_a_request_is_what_it_was_and_what_the_sdks_types_say(protocol: str, asked: ChatRequest) -> None:
    spoke = SPOKES[protocol]
    written = spoke.write_request(asked, TARGET)
    body = json.loads(body_of(written))
    check_request(protocol, body)
    read = spoke.read_request(body)
    assert written.dropped == read.dropped == ()
    assert _plain(read) == _plain(asked)


def _plain(asked: ChatRequest) -> ChatRequest:
    """Without what each protocol says by itself: names of formats, whether a file's title is kept, `store`."""
    form = replace(asked.format, name=None) if asked.format else None
    tools = tuple(replace(tool, strict=tool.strict or None) for tool in asked.tools)
    return replace(asked, format=form, tools=tools, usage_wanted=True, extras={})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=40)
@given(answer=answers())
def test_an_answer_is_what_it_was_and_what_the_sdks_types_say(protocol: str, answer: Answer) -> None:
    spoke = SPOKES[protocol]
    body = json.loads(json.dumps(spoke.write_answer(answer, {})))
    check_answer(protocol, body)
    assert _told(spoke.read_answer(body), protocol) == _told(answer, protocol)


def _told(answer: Answer | None, protocol: str) -> Any:
    """Chat completions tell thoughts and their signatures apart; the reader of providers knows no signatures."""
    assert answer is not None
    parts = [replace(part, signature="") if isinstance(part, Thinking) else part for part in answer.parts]
    return (parts if protocol == "openai_chat" else list(answer.parts)), answer.stop, answer.counts, answer.model


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=40)
@given(answer=answers())
def test_a_stream_is_what_it_was_wherever_it_is_cut(protocol: str, answer: Answer) -> None:
    written = streamed(protocol, events_of(answer))
    for event in events_in(written):
        check_event(protocol, event)
    whole = read(protocol, [written])
    assert _kinds(whole, protocol) == _kinds(list(events_of(answer)), protocol)
    assert read(protocol, [bytes([byte]) for byte in written]) == whole
    for at in range(0, len(written), 97):
        assert read(protocol, [written[:at], written[at:]]) == whole


def streamed(protocol: str, events: Any) -> bytes:
    """A stream for a caller who wants to know its usage."""
    writer = SPOKES[protocol].stream_out({"stream_options": {"include_usage": True}})
    return b"".join(writer.write(event) for event in events)


def read(protocol: str, chunks: list[bytes]) -> list[Event]:
    reader = SPOKES[protocol].stream_in()
    found = [event for chunk in chunks for event in reader.feed(chunk)]
    return found + reader.end()


def events_in(written: bytes) -> list[Any]:
    lines = [line[6:] for line in written.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def _kinds(events: list[Event], protocol: str) -> tuple[Any, ...]:
    """What is said, without where the counts stand and, in chat completions, the signatures."""
    told = [event for event in events if type(event).__name__ not in ("Started", "Counted", "Signed")]
    signed = [event for event in events if type(event).__name__ == "Signed" and protocol != "openai_chat"]
    counts = [getattr(event, "counts") for event in events if type(event).__name__ == "Counted"]  # noqa: B009
    return told, signed, counts[-1]
