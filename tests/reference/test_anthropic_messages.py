"""The reference provider speaks Messages as the official SDK expects, and misbehaves only on demand."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from modelscan.reference import create_reference
from modelscan.reference.server import serve_in_thread

KEY = "sk-reference-0123456789"
HELLO: Any = [{"role": "user", "content": "one two three"}]
ASKED = {"model": "echo", "messages": HELLO, "max_tokens": 16}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    app = create_reference(models=("echo", "a/b"), key=KEY, protocol="anthropic_messages")
    with serve_in_thread(app) as origin:
        yield origin


@pytest.fixture
def sdk(origin: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=origin, api_key="none", default_headers={"x-api-key": KEY}) as client:
        yield client.with_options(max_retries=0)


def post(origin: str, body: Any, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
    given = {"x-api-key": KEY, **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(origin + path, content=content, headers=given, timeout=10)


def test_it_echoes_and_counts_words(sdk: anthropic.Anthropic) -> None:
    answer = sdk.messages.create(model="echo", system="be brief", messages=HELLO, max_tokens=16)
    assert [block.text for block in answer.content if block.type == "text"] == ["one two three"]
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 5, 3)


def test_a_limit_of_tokens_cuts_and_says_so(sdk: anthropic.Anthropic) -> None:
    answer = sdk.messages.create(model="echo", messages=HELLO, max_tokens=2)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 2)


def test_a_stream_has_every_named_event_in_its_order(origin: str, sdk: anthropic.Anthropic) -> None:
    raw = post(origin, {**ASKED, "stream": True}).text
    names = [line.removeprefix("event: ") for line in raw.splitlines() if line.startswith("event: ")]
    begun, ended = ["message_start", "content_block_start", "ping"], ["content_block_stop", "message_delta"]
    assert names == [*begun, *["content_block_delta"] * 3, *ended, "message_stop"]
    with sdk.messages.stream(model="echo", messages=HELLO, max_tokens=16) as stream:
        assert stream.get_final_text() == "one two three"
        assert stream.get_final_message().usage.output_tokens == 3


def test_it_counts_tokens_without_a_limit(sdk: anthropic.Anthropic) -> None:
    assert sdk.messages.count_tokens(model="echo", messages=HELLO).input_tokens == 3


def test_it_lists_and_shows_its_models(sdk: anthropic.Anthropic) -> None:
    assert [model.id for model in sdk.models.list()] == ["echo", "a/b"]
    assert sdk.models.retrieve("echo").id == "echo"
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("none")


def test_a_provider_without_models_lists_none() -> None:
    app = create_reference(models=(), protocol="anthropic_messages")
    with serve_in_thread(app) as origin:
        assert httpx2.get(f"{origin}/v1/models").json()["first_id"] is None


def test_a_wrong_key_is_refused_everywhere(origin: str) -> None:
    with anthropic.Anthropic(base_url=origin, api_key=KEY, max_retries=0) as client:  # as a bearer token, not x-api-key
        for call in (client.models.list, lambda: client.messages.create(model="echo", messages=HELLO, max_tokens=1)):
            with pytest.raises(anthropic.AuthenticationError):
                call()


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        ([], 400, "model"),
        ({"model": "echo"}, 400, "messages"),
        ({"model": "echo", "messages": HELLO}, 400, "max_tokens"),
        ({**ASKED, "max_tokens": 0}, 400, "max_tokens"),
        ({**ASKED, "messages": [{"role": "system", "content": "x"}]}, 400, "messages"),
        ({**ASKED, "model": "none"}, 404, "model"),
    ],
)
def test_bad_requests_are_errors_in_anthropics_shape(origin: str, body: Any, status: int, param: str | None) -> None:
    answer = post(origin, body)
    assert answer.status_code == status
    assert (answer.json()["type"], answer.json()["error"].get("param")) == ("error", param)
    assert answer.json()["error"]["type"] in ("invalid_request_error", "not_found_error")


def test_an_unknown_path_is_one_too(origin: str) -> None:
    answer = post(origin, ASKED, "/v1/chat/completions")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("fault", ["401", "404", "429", "500"])
def test_a_status_is_answered_on_demand(origin: str, fault: str) -> None:
    counted = post(origin, ASKED, "/v1/messages/count_tokens", x_reference_fault=fault)
    for answer in (post(origin, ASKED, x_reference_fault=fault), counted):
        assert str(answer.status_code) == fault
        assert answer.json()["type"] == "error"


@pytest.mark.parametrize("stream", [True, False])
def test_it_breaks_off_on_demand(origin: str, stream: bool) -> None:
    with pytest.raises(httpx2.TransportError):
        post(origin, {**ASKED, "stream": stream}, x_reference_fault="cut")


def test_it_writes_malformed_answers_on_demand(origin: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        post(origin, ASKED, x_reference_fault="malformed").json()
    streamed = post(origin, {**ASKED, "stream": True}, x_reference_fault="malformed").text
    assert streamed.count('data: {"type": \n\n') == 1


WEATHER: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
TIME: Any = {"name": "time", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        (None, ["weather"]),
        ({"type": "any"}, ["weather"]),
        ({"type": "tool", "name": "time"}, ["time"]),
        ({"type": "auto", "disable_parallel_tool_use": False}, ["weather", "time"]),
        ({"type": "none"}, []),
    ],
)
def test_a_tool_that_is_offered_is_called(origin: str, choice: Any, called: list[str]) -> None:
    answer = post(origin, {**ASKED, "tools": [WEATHER, TIME, "odd"], "tool_choice": choice}).json()
    assert [block["name"] for block in answer["content"] if block["type"] == "tool_use"] == called
    assert answer["stop_reason"] == ("tool_use" if called else "end_turn")


def test_streamed_tool_calls_come_in_pieces_that_make_the_whole(sdk: anthropic.Anthropic) -> None:
    together: Any = {"type": "auto", "disable_parallel_tool_use": False}
    with sdk.messages.stream(
        model="echo", messages=HELLO, max_tokens=16, tools=[WEATHER, TIME], tool_choice=together
    ) as stream:
        message = stream.get_final_message()
    told = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert told == [("weather", {"city": "example"}), ("time", {})]


def test_the_result_of_a_tool_is_said_again(origin: str) -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "sunny today"}]}
    conversation = [*HELLO, {"role": "assistant", "content": "…"}, {"role": "user", "content": [result]}]
    answer = post(origin, {**ASKED, "messages": conversation, "tools": [WEATHER]}).json()
    assert answer["content"] == [{"type": "text", "text": "sunny today"}]


def test_an_answer_keeps_to_the_schema_that_was_asked_for(origin: str) -> None:
    config = {"format": {"type": "json_schema", "schema": {"type": "array", "items": {"type": "boolean"}}}}
    answer = post(origin, {**ASKED, "output_config": config}).json()
    assert answer["content"] == [{"type": "text", "text": "[true]"}]
    other = post(origin, {**ASKED, "output_config": {"effort": "low"}}).json()
    assert other["content"] == [{"type": "text", "text": "one two three"}]
