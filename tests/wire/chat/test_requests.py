"""Requests, written for a provider that speaks another protocol than their caller."""
# ruff: noqa: E501 - One case a line, so that the tables can be read.

import json
from typing import Any

import pytest

from modelscan.wire.chat.request import Target
from modelscan.wire.translation import SPOKES, Translation
from tests.wire.chat.sdk_types import check_request

CHAT, MESSAGES, RESPONSES = "openai_chat", "anthropic_messages", "openai_responses"
HI: Any = [{"role": "user", "content": "hi"}]
PNG = "data:image/png;base64,aGk="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}

CHAT_STORY: Any = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Where?"}, {"type": "image_url", "image_url": {"url": PNG}}],
        },
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Rome"}'}},
                {"id": "functions.look:1", "type": "function", "function": {"name": "look", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "functions.look:1", "content": [{"type": "text", "text": "rain"}]},
        {"role": "user", "content": "So?"},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_completion_tokens": 99,
    "temperature": 0.5,
    "stop": "END",
    "user": "u1",
    "stream": True,
    "stream_options": {"include_usage": True},
    "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
}
MESSAGES_STORY: Any = {
    "model": "m",
    "max_tokens": 99,
    "system": "Be brief.",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Where?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "call_1", "name": "look", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "functions_look_1", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sunny"}]},
                {
                    "type": "tool_result",
                    "tool_use_id": "functions_look_1",
                    "content": [{"type": "text", "text": "rain"}],
                },
                {"type": "text", "text": "So?"},
            ],
        },
    ],
    "tools": [{"name": "look", "description": "Looks.", "input_schema": SCHEMA}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "temperature": 0.5,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u1"},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "stream": True,
}
RESPONSES_STORY: Any = {
    "model": "m",
    "store": False,
    "input": [
        {"type": "message", "role": "system", "content": "Be brief."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Where?"},
                {"type": "input_image", "image_url": PNG, "detail": "auto"},
            ],
        },
        {"type": "message", "role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"city": "Rome"}'},
        {"type": "function_call", "call_id": "functions.look:1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "functions.look:1", "output": "rain"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "So?"}]},
    ],
    "tools": [{"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": False}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_output_tokens": 99,
    "temperature": 0.5,
    "user": "u1",
    "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}},
    "stream": True,
}


def sent(caller: str, body: Any, protocol: str, **more: Any) -> tuple[Any, list[str]]:
    """(what the provider gets, what was dropped); checked with the SDK's own types."""
    body = {("input" if caller == RESPONSES else "messages"): HI, **body}
    written, dropped = Translation(caller, body).request_for(SPOKES[protocol], Target("m", **more))
    asked = json.loads(written)
    check_request(protocol, {name: value for name, value in asked.items() if name != "stream_options"})
    return asked, dropped.split(", ") if dropped else []


def test_a_chat_with_tools_becomes_messages() -> None:
    assert sent(CHAT, CHAT_STORY, MESSAGES) == (MESSAGES_STORY, [])


def test_a_chat_with_tools_becomes_a_response() -> None:
    assert sent(CHAT, CHAT_STORY, RESPONSES) == (RESPONSES_STORY, ["stop"])


def test_messages_with_tools_become_a_chat() -> None:
    asked, dropped = sent(MESSAGES, MESSAGES_STORY, CHAT)
    wanted = json.loads(json.dumps(CHAT_STORY).replace("functions.look:1", "functions_look_1"))
    wanted["messages"][2]["tool_calls"][1]["function"]["arguments"] = "{}"
    wanted["messages"][2]["tool_calls"][0]["function"]["arguments"] = '{"city":"Rome"}'
    wanted["messages"][4]["content"] = "rain"
    wanted["response_format"]["json_schema"]["name"] = "answer"
    wanted["stop"] = ["END"]
    wanted["max_tokens"] = wanted.pop("max_completion_tokens")
    assert (asked, dropped) == (wanted, [])


def test_a_response_with_tools_becomes_messages() -> None:
    asked, dropped = sent(RESPONSES, {**RESPONSES_STORY, "instructions": "Be kind."}, MESSAGES)
    wanted = {name: value for name, value in MESSAGES_STORY.items() if name != "stop_sequences"}
    wanted["system"] = [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]
    assert (asked, dropped) == (wanted, ["store"])


def test_the_limit_is_named_and_filled_in_as_the_provider_wants_it() -> None:
    named = {"limit_field": "max_completion_tokens", "limit": 7}
    assert sent(MESSAGES, {"max_tokens": 5}, CHAT, **named)[0]["max_completion_tokens"] == 5
    assert sent(RESPONSES, {}, CHAT, **named, limit_required=True)[0]["max_completion_tokens"] == 7
    assert "max_completion_tokens" not in sent(RESPONSES, {}, CHAT, **named)[0]
    assert sent(CHAT, {}, MESSAGES, **named)[0]["max_tokens"] == 7
    assert sent(CHAT, {"max_tokens": 3}, MESSAGES)[0]["max_tokens"] == 3


def test_a_streams_usage_is_asked_for_where_that_is_known() -> None:
    streamed = {"stream": True, "max_tokens": 5}
    assert sent(MESSAGES, streamed, CHAT)[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent(MESSAGES, streamed, CHAT, stream_usage=False)[0]


@pytest.mark.parametrize(
    ("caller", "body", "protocol", "wanted"),
    [
        (CHAT, {"reasoning_effort": "minimal"}, MESSAGES, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (CHAT, {"reasoning_effort": "none"}, MESSAGES, {"thinking": {"type": "disabled"}}),
        (CHAT, {"reasoning_effort": "high"}, RESPONSES, {"reasoning": {"effort": "high", "summary": "auto"}}),
        (CHAT, {"verbosity": "low"}, RESPONSES, {"text": {"verbosity": "low"}}),
        (CHAT, {"metadata": {"a": "b"}, "store": False}, RESPONSES, {"metadata": {"a": "b"}, "store": False}),
        (CHAT, {"service_tier": "default"}, MESSAGES, {"service_tier": "standard_only"}),
        (CHAT, {"response_format": {"type": "json_object"}}, RESPONSES, {"text": {"format": {"type": "json_object"}}}),
        (CHAT, {"response_format": {"type": "text"}}, MESSAGES, {}),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, CHAT, {"reasoning_effort": "low"}),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 9000}}, CHAT, {"reasoning_effort": "medium"}),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 32000}}, RESPONSES, {"include": ["reasoning.encrypted_content"]}),
        (MESSAGES, {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, CHAT, {}),
        (MESSAGES, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, CHAT, {"reasoning_effort": "max"}),
        (MESSAGES, {"output_config": {"effort": "max"}}, CHAT, {"reasoning_effort": "max"}),
        (RESPONSES, {"reasoning": {"effort": "low", "summary": "auto"}}, CHAT, {"reasoning_effort": "low"}),
        (RESPONSES, {"text": {"verbosity": "low", "format": {"type": "json_object"}}}, CHAT, {"verbosity": "low", "response_format": {"type": "json_object"}}),
        (RESPONSES, {"text": {"format": {"type": "text"}}, "truncation": "disabled"}, CHAT, {}),
        (RESPONSES, {"input": "hello"}, CHAT, {"messages": [{"role": "user", "content": "hello"}]}),
        (MESSAGES, {"system": ""}, CHAT, {"messages": HI}),
        (MESSAGES, {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, CHAT, {"messages": [{"role": "system", "content": "a\n\nb"}, *HI]}),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_said_in_the_providers_words(
    caller: str, body: Any, protocol: str, wanted: dict[str, Any]
) -> None:
    asked, dropped = sent(caller, body, protocol)
    assert wanted.items() <= asked.items()
    assert dropped == []
    if not wanted:
        assert asked.keys() <= {"model", "messages", "max_tokens"}


TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("look", "listen")]
FLAT: Any = [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("look", "listen")]
INPUTS = [{"name": name, "input_schema": SCHEMA} for name in ("look", "listen")]


@pytest.mark.parametrize(
    ("given", "messages", "responses"),
    [
        ("auto", {"type": "auto"}, "auto"),
        ("none", {"type": "none"}, "none"),
        ("required", {"type": "any"}, "required"),
        ({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}, {"type": "function", "name": "look"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TOOLS[:1]}}, {"type": "any"}, "required"),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TOOLS[:1]}}, {"type": "auto"}, "auto"),
    ],
)  # fmt: skip
def test_the_choice_of_a_tool_is_carried_everywhere(given: Any, messages: Any, responses: Any) -> None:
    only = 1 if isinstance(given, dict) and given["type"] == "allowed_tools" else 2
    chat = {"tools": TOOLS, "tool_choice": given}
    for protocol, wanted in ((MESSAGES, messages), (RESPONSES, responses)):
        asked, dropped = sent(CHAT, chat, protocol)
        assert (asked["tool_choice"], len(asked["tools"]), dropped) == (wanted, only, [])
    back = {"tools": FLAT[:only], "tool_choice": responses}
    assert sent(RESPONSES, back, MESSAGES)[0]["tool_choice"] == messages
    plain = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]}
    assert len(sent(RESPONSES, {"tools": FLAT, "tool_choice": plain}, CHAT)[0]["tools"]) == 1
    kept = sent(MESSAGES, {"tools": INPUTS, "tool_choice": messages}, CHAT)[0]["tool_choice"]
    assert kept == (given if only == 2 else responses)


def test_calls_one_at_a_time_need_no_choice() -> None:
    assert sent(CHAT, {"tools": TOOLS, "parallel_tool_calls": False}, MESSAGES)[0]["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    none = {"tools": TOOLS, "parallel_tool_calls": True, "tool_choice": "none"}
    assert sent(CHAT, none, MESSAGES)[0]["tool_choice"] == {"type": "none"}


SIGNED = {"type": "thinking", "thinking": "hm", "signature": "sig"}
HIDDEN = {"type": "redacted_thinking", "data": "xyz"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def test_signed_thoughts_go_back_to_the_provider_that_signed_them() -> None:
    said = {"role": "assistant", "content": None, "thinking_blocks": [SIGNED, HIDDEN], "reasoning_content": "hm"}
    story = [*HI, {**said, "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c1", "content": ""}]
    asked, dropped = sent(CHAT, {"messages": story, "reasoning_effort": "low"}, MESSAGES)
    assert asked["messages"][1]["content"][:2] == [SIGNED, HIDDEN]
    assert dropped == []
    asked, dropped = sent(MESSAGES, {"messages": asked["messages"]}, RESPONSES)
    items = [item for item in asked["input"] if item["type"] == "reasoning"]
    assert [(item["summary"], item["encrypted_content"]) for item in items] == [
        ([{"type": "summary_text", "text": "hm"}], "sig"),
        ([], "xyz"),
    ]
    asked, dropped = sent(RESPONSES, {"input": asked["input"]}, MESSAGES)
    assert asked["messages"][1]["content"][:2] == [SIGNED, HIDDEN]


@pytest.mark.parametrize(
    ("caller", "body", "protocol", "dropped"),
    [
        (CHAT, {"seed": 1, "logit_bias": {}, "top_k": 3}, MESSAGES, ["seed", "logit_bias", "top_k"]),
        (CHAT, {"seed": 1, "store": True}, RESPONSES, ["seed", "store"]),
        (CHAT, {"temperature": 1.5}, MESSAGES, ["temperature"]),
        (CHAT, {"temperature": 0.2, "top_p": 0.5, "reasoning_effort": "low"}, MESSAGES, ["temperature", "top_p"]),
        (CHAT, {"service_tier": "flex"}, MESSAGES, ["service_tier"]),
        (CHAT, {"service_tier": ["flex"]}, MESSAGES, ["service_tier"]),
        (CHAT, {"response_format": {"type": "json_object"}}, MESSAGES, ["response_format"]),
        (CHAT, {"messages": [{**HI[0], "name": "bob"}]}, MESSAGES, ["messages.name"]),
        (CHAT, {"messages": [*HI, {"role": "assistant", "content": "I"}]}, RESPONSES, ["messages.prefill"]),
        (CHAT, {"messages": [*HI, {"role": "system", "content": "now"}]}, MESSAGES, ["messages.system.place"]),
        (CHAT, {"messages": [*HI, {"role": "assistant", "content": "a", "reasoning_content": "b"}, *HI]}, MESSAGES, ["messages.thinking"]),
        (CHAT, {"messages": [*HI, {"role": "assistant", "content": "a", "reasoning": "b"}, *HI]}, RESPONSES, ["messages.thinking"]),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]}]}, MESSAGES, ["messages.content.image.detail"]),
        (MESSAGES, {"top_k": 3, "cache_control": {"type": "ephemeral"}}, CHAT, ["top_k", "cache_control"]),
        (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}]}, CHAT, ["messages.content.cache_control"]),
        (MESSAGES, {"messages": [*HI, {"role": "assistant", "content": "I"}]}, CHAT, ["messages.prefill"]),
        (MESSAGES, {"messages": [*HI, {"role": "assistant", "content": [SIGNED]}, *HI]}, CHAT, ["messages.thinking"]),
        (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "is_error": True}]}]}, CHAT, ["messages.content.is_error"]),
        (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "is_error": True}]}]}, RESPONSES, ["messages.content.is_error"]),
        (MESSAGES, {"tools": [{"name": "a", "input_schema": SCHEMA, "defer_loading": True}]}, CHAT, ["tools.defer_loading"]),
        (MESSAGES, {"stop_sequences": ["x"]}, RESPONSES, ["stop"]),
        (RESPONSES, {"truncation": "auto", "include": ["web_search_call.results"]}, CHAT, ["truncation", "include"]),
        (RESPONSES, {"max_tool_calls": 3}, MESSAGES, ["max_tool_calls"]),
    ],
)  # fmt: skip
def test_what_is_left_out_is_named(caller: str, body: Any, protocol: str, dropped: list[str]) -> None:
    assert sent(caller, body, protocol)[1] == dropped


def part(kind: str, **members: Any) -> Any:
    return [{"role": "user", "content": [{"type": kind, **members}]}]


def test_pictures_that_a_tool_shows_follow_its_words_in_a_chat() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    shown = [{"type": "text", "text": "see"}, {"type": "image", "source": source}]
    results = [
        {"type": "tool_result", "tool_use_id": "c1", "content": shown},
        {"type": "tool_result", "tool_use_id": "c2", "content": "no"},
    ]
    asked, dropped = sent(MESSAGES, {"messages": [{"role": "user", "content": results}]}, CHAT)
    assert [message["role"] for message in asked["messages"]] == ["tool", "tool", "user"]
    assert asked["messages"][2]["content"] == [{"type": "image_url", "image_url": {"url": PNG}}]
    assert dropped == []
    asked, _ = sent(MESSAGES, {"messages": [{"role": "user", "content": results}]}, RESPONSES)
    assert asked["input"][0]["output"][1]["image_url"] == PNG


def test_documents_are_carried_as_files_or_as_text() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
    text = {"type": "text", "media_type": "text/plain", "data": "words"}
    blocks = [{"type": "document", "source": pdf, "title": "a.pdf"}, {"type": "document", "source": text, "title": "b"}]
    asked, dropped = sent(MESSAGES, {"messages": [{"role": "user", "content": blocks}]}, CHAT)
    inline = "data:application/pdf;base64,aGk="
    assert asked["messages"][0]["content"] == [
        {"type": "file", "file": {"file_data": inline, "filename": "a.pdf"}},
        {"type": "text", "text": "b\n\nwords"},
    ]
    linked = [{"type": "input_file", "file_url": "https://a.test/b.pdf"}, {"type": "input_file", "file_data": inline}]
    asked, dropped = sent(RESPONSES, {"input": [{"role": "user", "content": linked}]}, MESSAGES)
    sources = [block["source"] for block in asked["messages"][0]["content"]]
    assert (sources, dropped) == ([{"type": "url", "url": "https://a.test/b.pdf"}, pdf], [])
    url = {"type": "url", "url": "https://a.test/b.pdf"}
    asked, _ = sent(MESSAGES, {"messages": part("document", source=url)}, RESPONSES)
    assert asked["input"][0]["content"] == [linked[0]]


def test_a_refusal_in_the_story_stays_what_it_is_where_that_can_be_said() -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": "Well."}], "refusal": "No."}
    story = {"messages": [*HI, said, *HI]}
    assert sent(CHAT, story, MESSAGES)[0]["messages"][1]["content"][1] == {"type": "text", "text": "No."}
    asked, _ = sent(CHAT, story, RESPONSES)
    assert asked["input"][1]["content"][1] == {"type": "refusal", "refusal": "No."}
    back, _ = sent(RESPONSES, {"input": asked["input"]}, CHAT)
    assert back["messages"][1] == {"role": "assistant", "content": "Well.", "refusal": "No."}
    parts = {"messages": [*HI, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, *HI]}
    assert sent(CHAT, parts, RESPONSES)[0]["input"][1]["content"][0]["refusal"] == "No."


def test_reasoning_items_without_a_seal_are_left_out() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    asked, dropped = sent(RESPONSES, {"input": [*HI, item, {"role": "assistant", "content": "a"}, *HI]}, MESSAGES)
    assert (asked["messages"][1]["content"], dropped) == ([{"type": "text", "text": "a"}], ["messages.thinking"])


def test_what_the_system_says_in_the_middle_stays_there_in_a_chat() -> None:
    story = [*HI, {"role": "system", "content": "Now."}, *HI]
    assert [message["role"] for message in sent(MESSAGES, {"messages": story}, CHAT)[0]["messages"]] == [
        *("user", "system", "user")
    ]


def test_strict_tools_and_descriptions_of_formats_are_carried() -> None:
    schema = {"name": "a", "description": "An answer.", "schema": SCHEMA}
    body = {"response_format": {"type": "json_schema", "json_schema": schema}}
    tool = {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}}
    asked, dropped = sent(CHAT, {**body, "tools": [tool]}, RESPONSES)
    assert asked["text"]["format"] == {"type": "json_schema", **schema}
    assert (asked["tools"][0]["strict"], dropped) == (True, [])
    assert sent(RESPONSES, {"text": asked["text"], "tools": asked["tools"]}, MESSAGES)[0]["tools"][0]["strict"] is True
    back, _ = sent(RESPONSES, {"text": asked["text"], "tools": asked["tools"]}, CHAT)
    assert (back["response_format"]["json_schema"], back["tools"]) == ({**schema, "strict": None}, [tool])


@pytest.mark.parametrize("protocol", [CHAT, RESPONSES])
def test_an_unsaid_word_is_no_word(protocol: str) -> None:
    """Messages refuses empty text, and a turn in which nothing is left."""
    story = {"messages": [*HI, {"role": "assistant", "content": ""}, *HI]}
    assert len(sent(CHAT, story, MESSAGES)[0]["messages"]) == 1
    empty = {"messages": [*HI, {"role": "assistant", "content": []}, *HI]}
    assert sent(MESSAGES, empty, protocol)[1] == []
