"""Answers of one protocol, told to callers of another."""
# ruff: noqa: E501 - One case a line, so that the tables can be read.

import json
from typing import Any

import pytest

from modelscan.errors import UpstreamFailed
from modelscan.types import Usage
from modelscan.wire.chat.answer import Answer, events_of
from modelscan.wire.chat.foreign import said_error
from modelscan.wire.chat.parts import Image
from modelscan.wire.translation import SPOKES, Translation
from tests.wire.chat.sdk_types import PROTOCOLS, check_answer
from tests.wire.chat.test_requests import CHAT, HI, MESSAGES, RESPONSES

CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"city":"Rome"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": ""}},
]
COMPLETION: Any = {
    "id": "chatcmpl-7",
    "model": "gpt",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": "One moment.", "reasoning_content": "hm", "tool_calls": CALLS},
        }
    ],
    "usage": {
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "total_tokens": 39,
        "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 5},
    },
}
MESSAGE: Any = {
    "id": "msg_7",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}},
        {"type": "text", "text": "One moment."},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Rome"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 6,
        "output_tokens": 9,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 5},
    },
}


def told(caller: str, protocol: str, payload: Any, **asked: Any) -> Any:
    """The answer as the caller gets it, checked by its SDK's own model."""
    turns = {("input" if caller == RESPONSES else "messages"): HI}
    answer, _ = Translation(caller, {**turns, **asked}).answer_of(SPOKES[protocol], payload)
    check_answer(caller, json.loads(answer))
    return json.loads(answer)


def test_a_completion_becomes_a_message() -> None:
    assert told(MESSAGES, CHAT, COMPLETION) == {
        "id": "msg_7",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "One moment."},
            {"type": "tool_use", "id": "call_1", "name": "look", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "call_2", "name": "look", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": MESSAGE["usage"],
    }


def test_a_message_becomes_a_completion() -> None:
    answer = told(CHAT, MESSAGES, MESSAGE)
    choice = answer["choices"][0]
    assert (answer["id"], answer["object"], choice["finish_reason"]) == ("chatcmpl-7", "chat.completion", "tool_calls")
    assert choice["message"] == {
        "role": "assistant",
        "content": "One moment.",
        "refusal": None,
        "reasoning_content": "hm",
        "thinking_blocks": MESSAGE["content"][:2],
        "tool_calls": [{**CALLS[0], "id": "toolu_1"}],
    }
    assert answer["usage"] == COMPLETION["usage"]


def test_a_message_becomes_a_response_that_repeats_what_was_asked() -> None:
    tool = {"type": "function", "name": "look", "parameters": {}, "strict": False}
    asked = {"tools": [tool], "instructions": "Be brief.", "temperature": 0.5, "text": {"verbosity": "low"}}
    answer = told(RESPONSES, MESSAGES, MESSAGE, **asked)
    assert (answer["id"], answer["status"], answer["store"]) == ("resp_7", "completed", False)
    assert (answer["tools"], answer["instructions"], answer["temperature"]) == ([tool], "Be brief.", 0.5)
    assert answer["text"] == {"verbosity": "low", "format": {"type": "text"}}
    assert [item["type"] for item in answer["output"]] == ["reasoning", "reasoning", "message", "function_call"]
    assert answer["output"][0]["encrypted_content"] == "sig"
    assert answer["output"][3] | {"id": ""} == {
        "type": "function_call",
        "id": "",
        "call_id": "toolu_1",
        "name": "look",
        "arguments": '{"city":"Rome"}',
        "status": "completed",
    }
    assert answer["usage"]["input_tokens_details"] == {"cached_tokens": 20, "cache_write_tokens": 4}
    back = told(MESSAGES, RESPONSES, answer)
    assert (back["content"], back["usage"]) == ([one for one in MESSAGE["content"] if "input" not in one or "toolu_1" in one.values()], MESSAGE["usage"])  # fmt: skip


STOPS = [
    # messages, chat completions, status of responses, its reason, back in messages from each
    ("end_turn", "stop", "completed", None, "end_turn", "end_turn"),
    ("stop_sequence", "stop", "completed", None, "end_turn", "end_turn"),
    ("pause_turn", "stop", "completed", None, "end_turn", "end_turn"),
    ("max_tokens", "length", "incomplete", "max_output_tokens", "max_tokens", "max_tokens"),
    ("model_context_window_exceeded", "length", "incomplete", "max_output_tokens", "max_tokens", "max_tokens"),
    ("refusal", "content_filter", "incomplete", "content_filter", "refusal", "refusal"),
    ("some_new_reason", "stop", "completed", None, "end_turn", "end_turn"),
]


@pytest.mark.parametrize(("said", "finish", "status", "reason", "from_chat", "from_responses"), STOPS)
def test_why_it_stopped(
    said: str, finish: str, status: str, reason: str | None, from_chat: str, from_responses: str
) -> None:
    message = {**MESSAGE, "content": [{"type": "text", "text": "a"}], "stop_reason": said}
    chat, response = told(CHAT, MESSAGES, message), told(RESPONSES, MESSAGES, message)
    assert chat["choices"][0]["finish_reason"] == finish
    assert response["status"] == status
    assert (response["incomplete_details"] or {}).get("reason") == reason
    assert told(MESSAGES, CHAT, chat)["stop_reason"] == from_chat
    assert told(MESSAGES, RESPONSES, response)["stop_reason"] == from_responses


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call"])
def test_a_call_is_why_it_stopped_even_where_the_provider_says_otherwise(finish: str) -> None:
    choice = {**COMPLETION["choices"][0], "finish_reason": finish}
    assert told(MESSAGES, CHAT, {**COMPLETION, "choices": [choice]})["stop_reason"] == "tool_use"


def test_a_refusal_in_words() -> None:
    message = {"role": "assistant", "content": None, "refusal": "No."}
    completion = {**COMPLETION, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    said = told(MESSAGES, CHAT, completion)
    assert (said["stop_reason"], said["content"]) == ("refusal", [{"type": "text", "text": "No."}])
    response = told(RESPONSES, CHAT, completion)
    assert (response["status"], response["output"][0]["content"]) == (
        "completed",
        [{"type": "refusal", "refusal": "No."}],
    )
    back = told(CHAT, RESPONSES, response)["choices"][0]
    assert (back["finish_reason"], back["message"]["refusal"]) == ("stop", "No.")


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "9"}, []])
def test_tokens_that_the_provider_does_not_tell_are_none(usage: Any) -> None:
    answer, counted = Translation(MESSAGES, {"messages": HI}).answer_of(SPOKES[CHAT], {**COMPLETION, "usage": usage})
    assert counted == Usage()
    assert json.loads(answer)["usage"]["input_tokens"] == 0


@pytest.mark.parametrize(
    "found",
    [
        {"usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 3}},
        {"usage": None, "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}},
    ],
)
def test_tokens_are_found_where_providers_put_them(found: Any) -> None:
    _, counted = Translation(MESSAGES, {"messages": HI}).answer_of(SPOKES[CHAT], {**COMPLETION, **found})
    assert counted[:2] == (5, 2)


def test_thoughts_within_the_content_are_told_apart() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Rome."}]
    message = {"role": "assistant", "content": content}
    completion = {**COMPLETION, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    assert [block["type"] for block in told(MESSAGES, CHAT, completion)["content"]] == ["thinking", "text"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("payload", [None, [], {}, {"choices": []}, {"content": "x"}, {"output": {}}])
def test_what_is_no_answer_is_the_providers_failure(protocol: str, payload: Any) -> None:
    with pytest.raises(UpstreamFailed):
        told(CHAT, protocol, payload)
    with pytest.raises(UpstreamFailed):
        Translation(CHAT, {"messages": HI}).stream_of(SPOKES[protocol]).whole(payload)


def test_arguments_that_are_no_object_are_the_providers_failure_where_they_must_be_one() -> None:
    call: Any = {**CALLS[0], "function": {"name": "look", "arguments": "[1]"}}
    message = {"role": "assistant", "tool_calls": [call]}
    completion = {**COMPLETION, "choices": [{"message": message}]}
    with pytest.raises(UpstreamFailed, match="no JSON object"):
        told(MESSAGES, CHAT, completion)
    assert told(RESPONSES, CHAT, completion)["output"][0]["arguments"] == "[1]"
    call["function"]["arguments"] = '{"x": NaN}'
    with pytest.raises(UpstreamFailed, match="cannot be written as JSON"):
        told(MESSAGES, CHAT, completion)
    odd = {**MESSAGE, "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"x": float("nan")}}]}
    with pytest.raises(UpstreamFailed, match="no JSON"):
        told(CHAT, MESSAGES, odd)


def test_a_part_that_no_model_says_is_a_fault_of_ours() -> None:
    answer = Answer("1", "m", (Image("https://a.test"),))
    with pytest.raises(TypeError):
        list(events_of(answer))
    for protocol in (MESSAGES, RESPONSES):
        with pytest.raises((TypeError, KeyError)):
            SPOKES[protocol].write_answer(answer, {})


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"error": {"message": "No.", "type": "t", "code": "c"}}, ("No.", "c")),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}, ("Busy.", "overloaded_error")),
        ({"error": "No."}, ("No.", None)),
        ({"detail": "No."}, ("No.", None)),
        ({"message": "No.", "code": 3}, ("No.", None)),
        (["x"], ("", None)),
        (None, ("", None)),
    ],
)
def test_errors_are_read_as_providers_write_them(payload: Any, said: tuple[str, str | None]) -> None:
    assert said_error(payload) == said
