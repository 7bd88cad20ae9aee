"""What no other protocol can say, and without which a request would mean something else, is refused by its name."""

# ruff: noqa: E501 - One case a line, so that the table can be read.
from typing import Any

import pytest

from modelscan.errors import InvalidInput
from tests.wire.chat.test_requests import CALL, CHAT, MESSAGES, PNG, RESPONSES, SIGNED, part, sent


@pytest.mark.parametrize(
    ("caller", "body", "path"),
    [
        (CHAT, {"n": 2}, "n"),
        (CHAT, {"logprobs": True}, "logprobs"),
        (CHAT, {"modalities": ["text", "audio"]}, "modalities"),
        (CHAT, {"functions": []}, "functions"),
        (CHAT, {"messages": "hi"}, "messages"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": [1]}, "messages.0"),
        (CHAT, {"messages": [{"role": "function", "content": "x"}]}, "messages.0.role"),
        (CHAT, {"messages": [{"role": "user"}]}, "messages.0.content"),
        (CHAT, {"messages": part("input_audio", input_audio={})}, "messages.0.content.0"),
        (CHAT, {"messages": part("file", file={"file_id": "f"})}, "messages.0.content.0.file.file_id"),
        (CHAT, {"messages": part("file", file={"file_data": "xx"})}, "messages.0.content.0.file.file_data"),
        (CHAT, {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages.0"),
        (CHAT, {"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]}, "messages.0.tool_calls.0"),
        (CHAT, {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{"}}]}]}, "messages.tool_calls.arguments"),
        (CHAT, {"messages": [{"role": "tool", "tool_call_id": "c", "content": [{"type": "refusal", "refusal": "no"}]}]}, "messages.0.content"),
        (CHAT, {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]}, "messages"),
        (CHAT, {"tools": [{"type": "custom"}]}, "tools.0"),
        (CHAT, {"tool_choice": {"type": "custom"}}, "tool_choice"),
        (CHAT, {"tool_choice": "sometimes"}, "tool_choice"),
        (CHAT, {"response_format": {"type": "grammar"}}, "response_format.type"),
        (CHAT, {"temperature": "hot"}, "temperature"),
        (CHAT, {"max_tokens": 0}, "max_tokens"),
        (CHAT, {"stop": [1]}, "stop"),
        (CHAT, {"stream": "yes"}, "stream"),
        (CHAT, {"reasoning_effort": 3}, "reasoning_effort"),
        (CHAT, {"tools": {}}, "tools"),
        (CHAT, {"tools": [{"function": {"name": "f", "parameters": []}}]}, "tools.0.function.parameters"),
        (MESSAGES, {"mcp_servers": []}, "mcp_servers"),
        (MESSAGES, {"messages": []}, "messages"),
        (MESSAGES, {"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        (MESSAGES, {"messages": [{"role": "user"}]}, "messages.0.content"),
        (MESSAGES, {"messages": part("server_tool_use")}, "messages.0.content.0"),
        (MESSAGES, {"messages": part("thinking", thinking="x")}, "messages.0.content"),
        (MESSAGES, {"messages": [{"role": "assistant", "content": part("image", source={"type": "url", "url": "u"})[0]["content"]}]}, "messages.0.content"),
        (MESSAGES, {"messages": part("image", source={"type": "file"})}, "messages.0.content.0.source"),
        (MESSAGES, {"messages": part("document", source={"type": "content"})}, "messages.0.content.0.source"),
        (MESSAGES, {"messages": part("document", source={"type": "url", "url": "https://a.test/b"})}, "messages.content"),
        (MESSAGES, {"messages": part("tool_result", tool_use_id="c", content=[SIGNED])}, "messages.0.content.0.content"),
        (MESSAGES, {"system": [SIGNED]}, "system"),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0"),
        (MESSAGES, {"tool_choice": {"type": "some"}}, "tool_choice.type"),
        (MESSAGES, {"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        (RESPONSES, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (RESPONSES, {"background": True}, "background"),
        (RESPONSES, {"input": []}, "input"),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, "input.0"),
        (RESPONSES, {"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
        (RESPONSES, {"input": [{"role": "user"}]}, "input.0.content"),
        (RESPONSES, {"input": part("input_audio")}, "input.0.content.0"),
        (RESPONSES, {"input": part("input_image", file_id="f")}, "input.0.content.0.file_id"),
        (RESPONSES, {"input": part("input_file", file_id="f")}, "input.0.content.0.file_id"),
        (RESPONSES, {"input": part("input_file", file_data="f")}, "input.0.content.0.file_data"),
        (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "refusal", "refusal": "x"}]}]}, "input.0.output"),
        (RESPONSES, {"tools": [{"type": "web_search"}]}, "tools.0"),
        (RESPONSES, {"tool_choice": {"type": "mcp"}}, "tool_choice"),
        (RESPONSES, {"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        (RESPONSES, {"metadata": {"x": float("nan")}}, "body"),
    ],
)  # fmt: skip
def test_what_would_mean_something_else_is_refused_by_its_name(caller: str, body: Any, path: str) -> None:
    protocol = MESSAGES if caller == CHAT else CHAT
    with pytest.raises(InvalidInput) as refused:
        sent(caller, body, protocol)
    assert refused.value.fields["param"] == path
    assert f"`{path}`" in str(refused.value)


def test_a_part_that_the_reader_lets_through_is_refused_by_the_writer() -> None:
    image = {"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}
    refusal = {"role": "user", "content": [{"type": "refusal", "refusal": "No."}]}
    for protocol in (MESSAGES, RESPONSES):
        with pytest.raises(InvalidInput):
            sent(CHAT, {"messages": [image]}, protocol)
    with pytest.raises(InvalidInput):
        sent(CHAT, {"messages": [refusal]}, RESPONSES)
    with pytest.raises(InvalidInput):
        sent(RESPONSES, {"input": [{"role": "user", "content": refusal["content"]}]}, CHAT)


def test_arguments_that_json_cannot_hold_are_refused() -> None:
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {"x": float("inf")}}
    with pytest.raises(InvalidInput):
        sent(MESSAGES, {"messages": [{"role": "assistant", "content": [call]}]}, CHAT)
