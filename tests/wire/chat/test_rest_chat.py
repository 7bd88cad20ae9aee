"""Chats with custom REST services: what a mapping cannot say is refused or dropped, and streams end as it says."""

import json
from typing import Any

import pytest

from modelscan.errors import InvalidInput
from modelscan.types import RestMapping
from modelscan.wire.chat.answer import Delta, Failed, Finished, Stopped
from modelscan.wire.chat.request import Target
from modelscan.wire.mappings import COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT
from modelscan.wire.rest_chat import rest_side
from modelscan.wire.translation import SPOKES

TARGET = Target(model="m", limit=99, limit_required=False, limit_field="max_tokens", stream_usage=True)
PICTURE = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}


def written(mapping: RestMapping, **asked: Any) -> tuple[Any, tuple[str, ...]]:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], **asked}
    found = rest_side(mapping).write_request(SPOKES["anthropic_messages"].read_request(body), TARGET)
    return found.body, tuple(found.dropped)


def test_what_it_cannot_say_is_dropped_and_named() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "b"}]},
    ]
    body, dropped = written(COHERE_V2, messages=[*turns, {"role": "user", "content": "c"}])
    assert [turn["content"] for turn in body["messages"]] == ["a", "b", "c"]
    assert "messages.thinking" in dropped


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, "messages.content"),
        ({"tools": [{"name": "t", "input_schema": {"type": "object"}}]}, "tools"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "response_format"),
    ],
)
def test_what_would_change_the_meaning_is_refused(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        written(GEMINI_GENERATE_CONTENT, **asked)


@pytest.mark.parametrize("payload", [None, [], {}, {"message": "an error"}])
def test_what_is_no_answer_is_none(payload: Any) -> None:
    assert rest_side(COHERE_V2).read_answer(payload) is None


def lines(*pieces: Any) -> bytes:
    return b"".join(json.dumps(piece).encode() + b"\n" for piece in pieces)


SAID = {"message": {"content": "hi"}, "done": False}
DONE = {"message": {"content": ""}, "done": True, "done_reason": "length", "prompt_eval_count": 1, "eval_count": 2}


def test_a_stream_ends_where_its_mapping_says_and_nothing_after_that_is_read() -> None:
    reading = rest_side(OLLAMA_CHAT).stream_in()
    events = reading.feed(lines(SAID, DONE)) + reading.feed(lines(SAID)) + reading.end()
    assert [event.text for event in events if isinstance(event, Delta)] == ["hi"]
    assert [event for event in events if isinstance(event, Stopped)] == [Stopped("length")]
    assert sum(isinstance(event, Finished) for event in events) == 1


def test_a_last_line_without_its_end_is_read() -> None:
    reading = rest_side(OLLAMA_CHAT).stream_in()
    events = reading.feed((lines(SAID) + lines(DONE))[:-1]) + reading.end()
    assert isinstance(events[-1], Finished)


def test_an_error_ends_a_stream() -> None:
    reading = rest_side(OLLAMA_CHAT).stream_in()
    events = reading.feed(lines(SAID, {"error": "out of memory"}, SAID))
    assert events[-1] == Failed("out of memory")
    assert reading.feed(lines(DONE)) == reading.end() == []


def test_a_piece_beyond_all_measure_ends_a_stream() -> None:
    reading = rest_side(OLLAMA_CHAT).stream_in()
    events = reading.feed(lines(SAID)) + reading.feed(b"x" * (33 << 20))
    assert events[-1] == Failed("The provider's stream holds a piece beyond all measure.")
    assert reading.feed(lines(DONE)) == reading.end() == []


@pytest.mark.parametrize("begun", [b"", lines(SAID)])
def test_a_stream_without_its_end_broke_off(begun: bytes) -> None:
    reading = rest_side(OLLAMA_CHAT).stream_in()
    assert (reading.feed(begun) + reading.end())[-1] == Failed("The provider's stream broke off.")


def test_where_the_connection_is_the_end_something_must_have_come() -> None:
    reading = rest_side(GEMINI_GENERATE_CONTENT).stream_in()
    assert reading.end() == [Failed("The provider's stream broke off.")]
    reading = rest_side(GEMINI_GENERATE_CONTENT).stream_in()
    piece = {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}
    events = reading.feed(b"data: " + json.dumps(piece).encode() + b"\n\n") + reading.end()
    assert isinstance(events[-1], Finished)
