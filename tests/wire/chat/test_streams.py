"""Streams of one protocol, told to callers of another: golden transcripts, and the corners that real ones have."""
# ruff: noqa: E501 - One case a line, so that the tables can be read.

import json
from typing import Any

import pytest

from modelscan.types import Usage
from modelscan.wire.translation import SPOKES, Translation
from tests.wire.chat.sdk_types import PROTOCOLS, check_event
from tests.wire.chat.test_requests import CHAT, HI, MESSAGES, RESPONSES
from tests.wire.chat.test_round_trips import events_in


def chunk(delta: Any = None, reason: str | None = None, **more: Any) -> Any:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {
        "id": "chatcmpl-7",
        "model": "m",
        "object": "chat.completion.chunk",
        "created": 1,
        "choices": choices,
        **more,
    }


def call(index: Any, id_: str | None = None, name: str | None = None, arguments: str = "") -> Any:
    function: dict[str, Any] = {"arguments": arguments} | ({"name": name} if name else {})
    given: dict[str, Any] = {"index": index, "function": function} | ({"id": id_, "type": "function"} if id_ else {})
    return {"tool_calls": [{name: value for name, value in given.items() if value is not None}]}


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "h"}),
    chunk({"reasoning_content": "m"}),
    chunk({"content": "One "}),
    chunk({"content": "moment."}),
    chunk(call(0, "call_1", "look")),
    chunk(call(0, arguments='{"city":')),
    chunk(call(0, arguments='"Rome"}')),
    chunk(call(1, "call_2", "listen")),
    chunk({}, "tool_calls"),
    chunk(usage=USAGE),
]


def sse(events: list[Any], *, done: bool = False) -> bytes:
    lines = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    body = "".join(f"{line}data: {json.dumps(event)}\n\n" for line, event in zip(lines, events, strict=True))
    return (body + ("data: [DONE]\n\n" if done else "")).encode()


def told(caller: str, protocol: str, body: bytes, **asked: Any) -> list[Any]:
    """The events that the caller gets, each checked by its SDK's own model."""
    turns = {("input" if caller == RESPONSES else "messages"): HI}
    stream = Translation(caller, {**turns, "stream": True, **asked}).stream_of(SPOKES[protocol])
    events = events_in(stream.feed(body) + stream.end())
    for event in events:
        if "error" not in event:
            check_event(caller, event)
    return events


BLOCKS: Any = [
    {"type": "message_start", "message": {"id": "msg_7", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": None, "cache_read_input_tokens": None}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "h"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "One "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "moment."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"Rome"}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "content_block_start", "index": 3, "content_block": {"type": "tool_use", "id": "call_2", "name": "listen", "input": {}}},
    {"type": "content_block_stop", "index": 3},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"input_tokens": 9, "output_tokens": 4}},
    {"type": "message_stop"},
]  # fmt: skip


def test_chunks_become_blocks() -> None:
    assert told(MESSAGES, CHAT, sse(CHUNKS, done=True)) == BLOCKS


def test_blocks_become_chunks() -> None:
    signed = {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}}
    ping = {"type": "ping"}
    body = sse([BLOCKS[0], ping, *BLOCKS[1:4], signed, *BLOCKS[4:]])
    events = told(CHAT, MESSAGES, body, stream_options={"include_usage": True})
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    block = {"index": 0, "type": "thinking", "thinking": "hm", "signature": "sig"}
    wanted = [event["choices"][0]["delta"] for event in CHUNKS if event["choices"]]
    wanted[8:9] = [wanted[8], {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}]
    wanted.insert(3, {"thinking_blocks": [block]})
    assert deltas == wanted
    assert events[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert events[-1]["usage"] == USAGE
    assert "usage" not in told(CHAT, MESSAGES, body)[-1]


RESPONSE_KINDS = [
    "created",
    "in_progress",
    "output_item.added",
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
    "output_item.done",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
    "completed",
]


@pytest.mark.parametrize("protocol", [CHAT, MESSAGES])
def test_both_become_a_response(protocol: str) -> None:
    body = sse(CHUNKS, done=True) if protocol == CHAT else sse(BLOCKS)
    events = told(RESPONSES, protocol, body)
    assert [event["type"].removeprefix("response.") for event in events] == RESPONSE_KINDS
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last = events[-1]["response"]
    assert [item["type"] for item in last["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [item.get("arguments") for item in last["output"]][2:] == ['{"city":"Rome"}', "{}"]
    assert last["usage"]["total_tokens"] == 13
    again = told(MESSAGES, RESPONSES, sse(events))
    assert _joined(again) == _joined(BLOCKS)


def _joined(blocks: list[Any]) -> Any:
    """What each block holds in the end; arguments that are empty may be said or not."""
    said: dict[int, str] = {}
    kinds = []
    for event in blocks:
        if event["type"] == "content_block_start":
            kinds.append(event["content_block"]["type"])
        elif event["type"] == "content_block_delta":
            text = next(value for name, value in event["delta"].items() if name != "type")
            said[event["index"]] = said.get(event["index"], "") + text
    return (
        kinds,
        {index: text for index, text in said.items() if text != "{}"},
        blocks[-2]["delta"],
        blocks[-2]["usage"]["output_tokens"],
    )


def texts(blocks: list[Any]) -> list[str]:
    return [event["delta"]["text"] for event in blocks if event.get("delta", {}).get("type") == "text_delta"]


@pytest.mark.parametrize(
    "body",
    [
        b": comment\n\n" + sse([chunk({"content": "a"}), chunk({}, "stop")], done=True),
        sse([chunk({"content": "a"}), chunk({}, "stop")], done=True).replace(b"\n", b"\r\n"),
        sse([chunk({"content": "a"}), chunk({}, "stop")]),
        sse([chunk({"content": "a"}, "stop")]),
        sse([chunk(), chunk({"content": "a"}), chunk({}, "stop"), chunk()], done=True),
        sse([chunk({"content": "a"})], done=True),
        sse([chunk({"content": "a"}), chunk({}, "stop")], done=True) + sse([chunk({"content": "late"})]),
        b"data: not json\n\ndata: [1]\n\n" + sse([chunk({"content": "a"}), chunk({}, "stop")], done=True),
    ],
)
def test_corners_of_chunks_that_end_well(body: bytes) -> None:
    blocks = told(MESSAGES, CHAT, body)
    assert (texts(blocks), blocks[-2]["delta"]["stop_reason"]) == (["a"], "end_turn")
    assert blocks[-1] == {"type": "message_stop"}


CALLED = [
    # Each call at place 0 with an id of its own; no places; no id at all; a name after its arguments.
    [call(0, "a", "look", "{}"), call(0, "b", "look", "{}")],
    [call(None, "a", "look", "{"), call(None, None, None, "}"), call(None, "b", "look", "{}")],
    [call(0, None, "look", "{"), call(0, None, None, "}"), call(1, None, "look", "{}")],
    [call(0, "a", None, "{"), call(0, None, "look", "}"), call(1, "b", "look", "{}")],
]


@pytest.mark.parametrize("deltas", CALLED)
def test_corners_of_calls(deltas: list[Any]) -> None:
    blocks = told(MESSAGES, CHAT, sse([*(chunk(delta) for delta in deltas), chunk({}, "stop")], done=True))
    starts = [event["content_block"] for event in blocks if event["type"] == "content_block_start"]
    assert [start["name"] for start in starts] == ["look", "look"]
    assert len({start["id"] for start in starts}) == 2
    parts = [event["delta"]["partial_json"] for event in blocks if event["type"] == "content_block_delta"]
    assert "".join(parts) == "{}{}"
    assert blocks[-2]["delta"]["stop_reason"] == "tool_use"


def test_words_after_a_call_are_a_part_of_their_own() -> None:
    deltas = [call(0, "a", "look", "{}"), {"content": "b"}, {"refusal": "No."}]
    blocks = told(MESSAGES, CHAT, sse([*(chunk(delta) for delta in deltas), chunk({}, "stop")], done=True))
    starts = [event["content_block"]["type"] for event in blocks if event["type"] == "content_block_start"]
    assert (starts, texts(blocks)) == (["tool_use", "text", "text"], ["b", "No."])
    assert blocks[-2]["delta"]["stop_reason"] == "refusal"


FAILURES = [
    (CHAT, sse([chunk({"content": "a"})]), "broke off"),
    (CHAT, sse([chunk({"content": "a"}), {"error": {"message": "Busy.", "code": "busy"}}]), "Busy."),
    (CHAT, sse([{"error": True}]), "The provider failed."),
    (CHAT, b"data: [DONE]\n\n", "holds nothing"),
    (CHAT, sse([chunk(call(0, "a", None, "{}"))], done=True), "without its name"),
    (CHAT, sse([chunk(call(0, "a", "f")), chunk(call(1, "b", "f")), chunk(call(0, None, None, "{}"))]), "after another"),
    (MESSAGES, sse(BLOCKS[:4]), "broke off"),
    (MESSAGES, sse([*BLOCKS[:4], {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}]), "Busy."),
    (MESSAGES, sse([{"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {"x": float("nan")}}}]), "no JSON"),
    (MESSAGES, sse([*BLOCKS[:4], {"type": "message_start", "message": {"id": "msg_8"}}, *BLOCKS[1:]]), "began another"),
    (RESPONSES, sse([{"type": "response.created", "response": {"id": "resp_1"}}]), "broke off"),
    (RESPONSES, sse([{"type": "response.failed", "response": {"error": {"message": "Busy.", "code": "server_error"}}}]), "Busy."),
    (RESPONSES, sse([{"type": "error", "message": "Busy."}]), "Busy."),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "body", "said"), FAILURES)
@pytest.mark.parametrize("caller", PROTOCOLS)
def test_a_stream_that_fails_ends_with_an_error_of_the_callers_protocol(
    caller: str, protocol: str, body: bytes, said: str
) -> None:
    turns = {("input" if caller == RESPONSES else "messages"): HI}
    stream = Translation(caller, turns).stream_of(SPOKES[protocol])
    written = stream.feed(body) + stream.end()
    assert stream.failed is not None
    assert said in events_in(written)[-1]["error"]["message"]
    assert stream.feed(sse(CHUNKS)) == stream.end() == b""
    if caller != CHAT:
        assert b"event: error\n" in written


def test_a_connection_that_breaks_off_is_told_once() -> None:
    stream = Translation(MESSAGES, {"messages": HI}).stream_of(SPOKES[CHAT])
    stream.feed(sse(CHUNKS[:4]))
    assert b"gone" in stream.broken("It is gone.", "upstream-failed")
    assert stream.broken("It is gone.", "upstream-failed") == stream.end() == b""
    assert stream.usage == Usage()


@pytest.mark.parametrize("protocol", [CHAT, MESSAGES])
def test_a_connection_that_breaks_off_after_all_was_said_is_not_told(protocol: str) -> None:
    stream = Translation(RESPONSES, {"input": HI}).stream_of(SPOKES[protocol])
    stream.feed(sse(CHUNKS, done=True) if protocol == CHAT else sse(BLOCKS))
    assert stream.finished
    assert stream.broken("It is gone.", "upstream-failed") == stream.end() == b""
    assert stream.failed is None


def test_an_answer_that_came_as_one_is_streamed_all_the_same() -> None:
    message = {"id": "msg_7", "model": "m", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}
    stream = Translation(CHAT, {"messages": HI}).stream_of(SPOKES[MESSAGES])
    written = stream.whole({**message, "usage": {"input_tokens": 3, "output_tokens": 2}})
    assert written.endswith(b"data: [DONE]\n\n")
    assert [event["choices"][0]["delta"] for event in events_in(written)][1:] == [{"content": "a"}, {}]
    assert stream.usage == Usage(3, 2)


def test_corners_of_blocks() -> None:
    """A second start, blocks of the provider's own tools, content at the start, counts that come in two parts."""
    odd = [
        BLOCKS[0] | {"message": BLOCKS[0]["message"] | {"usage": {"input_tokens": 2, "cache_read_input_tokens": 7}}},
        BLOCKS[0],
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "a"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "thinking", "thinking": "h", "signature": "s"}},
        {"type": "content_block_start", "index": 3, "content_block": {"type": "redacted_thinking", "data": "x"}},
        {"type": "content_block_start", "index": 4, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}, "usage": {"input_tokens": 2, "output_tokens": 4}},
    ]  # fmt: skip
    events = told(CHAT, MESSAGES, sse(odd), stream_options={"include_usage": True})
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert [next(iter(delta), None) for delta in deltas] == [
        *(
            "role",
            "content",
            "reasoning_content",
            "thinking_blocks",
            "thinking_blocks",
            "tool_calls",
            "tool_calls",
            None,
        )
    ]
    assert events[-1]["usage"] == {**USAGE, "prompt_tokens_details": {"cached_tokens": 7}}
    redacted = [event["content_block"] for event in told(MESSAGES, MESSAGES, sse(odd)) if "content_block" in event]
    assert redacted[2] == {"type": "redacted_thinking", "data": "x"}
    assert told(CHAT, MESSAGES, sse([{"type": "message_stop"}]))[-1]["choices"][0]["finish_reason"] == "stop"


def test_what_a_message_begins_with_is_a_part_of_it() -> None:
    begun = [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1}}]
    start = {"type": "message_start", "message": {**BLOCKS[0]["message"], "content": begun}}
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}}
    deltas = [event["choices"][0]["delta"] for event in told(CHAT, MESSAGES, sse([start, end]))]
    assert deltas[1] == {"content": "a"}
    assert [delta["tool_calls"][0]["function"] for delta in deltas[2:4]] == [
        {"name": "f", "arguments": ""},
        {"arguments": '{"b":1}'},
    ]


def test_corners_of_responses() -> None:
    """Items without a delta, sealed thoughts, several summaries, a refusal; and no beginning at all."""
    item: Any = {
        "type": "message",
        "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "No."}],
    }
    thought = {"type": "reasoning", "id": "rs", "summary": [{"text": "h"}], "encrypted_content": "seal"}
    odd: list[Any] = [
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.done", "output_index": 1, "item": thought | {"summary": []}},
        {"type": "response.output_item.added", "output_index": 2, "item": {"type": "reasoning"}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 2, "delta": "h"},
        {"type": "response.reasoning_summary_part.added", "output_index": 2},
        {"type": "response.reasoning_summary_text.delta", "output_index": 2, "delta": "m"},
        {"type": "response.output_item.done", "output_index": 2, "item": thought},
        {"type": "response.output_item.done", "output_index": 3, "item": {"type": "web_search_call"}},
        {"type": "response.output_item.done", "output_index": 4, "item": item},
        {"type": "response.output_item.done", "output_index": 5, "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}},
        {"type": "response.output_text.delta", "output_index": 6, "delta": ""},
    ]  # fmt: skip
    end = {"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": {"input_tokens": 9}}}  # fmt: skip
    blocks = told(MESSAGES, RESPONSES, sse([*odd, end]))
    starts = [event["content_block"]["type"] for event in blocks if event["type"] == "content_block_start"]
    assert starts == ["thinking", "redacted_thinking", "thinking", "text", "text", "tool_use"]
    assert blocks[-2]["delta"]["stop_reason"] == "max_tokens"
    assert blocks[-2]["usage"]["input_tokens"] == 9
    summed = [event["delta"]["thinking"] for event in blocks if event.get("delta", {}).get("type") == "thinking_delta"]
    assert "".join(summed) == "hh\n\nm"
    done = {"type": "response.completed", "response": {"status": "completed"}}
    assert told(MESSAGES, RESPONSES, sse([*odd[-3:], done]))[-2]["delta"]["stop_reason"] == "tool_use"
    assert told(MESSAGES, RESPONSES, sse([odd[8], done]))[-2]["delta"]["stop_reason"] == "refusal"
    assert told(MESSAGES, RESPONSES, sse([done]))[-2]["delta"]["stop_reason"] == "end_turn"


def test_a_refusal_is_streamed_as_one() -> None:
    body = sse([chunk({"refusal": "No."}), chunk({}, "stop")], done=True)
    events = told(RESPONSES, CHAT, body)
    assert [event["type"] for event in events if "refusal" in event["type"]] == [
        "response.refusal.delta",
        "response.refusal.done",
    ]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert told(CHAT, RESPONSES, sse(events))[-1]["choices"][0]["finish_reason"] == "stop"
