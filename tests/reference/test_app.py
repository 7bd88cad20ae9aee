"""The reference provider speaks OpenAI chat as the official SDK expects, and misbehaves only on demand."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from modelscan.reference import create_reference
from modelscan.reference.server import serve_in_thread
from modelscan.types import Auth

KEY = "sk-reference-0123456789"
HELLO: Any = [{"role": "user", "content": "one two three"}]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with serve_in_thread(create_reference(models=("echo", "a/b"), key=KEY)) as origin:
        yield origin


@pytest.fixture
def sdk(origin: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{origin}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def post(origin: str, body: Any, **headers: str) -> httpx2.Response:
    given = {"authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(f"{origin}/v1/chat/completions", content=content, headers=given, timeout=10)


def test_it_echoes_the_last_user_message_and_counts_words(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.create(model="echo", messages=[{"role": "system", "content": "be brief"}, *HELLO])
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 3, 8)


@pytest.mark.parametrize("limit", [{"max_tokens": 2}, {"max_completion_tokens": 2}])
def test_a_limit_of_tokens_cuts_and_says_so(sdk: openai.OpenAI, limit: dict[str, int]) -> None:
    choice = sdk.chat.completions.create(model="echo", messages=HELLO, **limit).choices[0]  # type: ignore[call-overload]
    assert (choice.message.content, choice.finish_reason) == ("one two", "length")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "user", "content": [{"type": "text", "text": "part"}, "no part"]}], "part"),
        ([{"role": "user", "content": None}], "(nothing)"),
        ([{"role": "assistant", "content": "mine"}], "(nothing)"),
    ],
)
def test_contents_of_other_shapes_are_read(origin: str, messages: Any, said: str) -> None:
    answer = post(origin, {"model": "echo", "messages": messages})
    assert answer.json()["choices"][0]["message"]["content"] == said


@pytest.mark.parametrize("usage", [True, False])
def test_it_streams_word_by_word_and_ends_with_done(origin: str, usage: bool) -> None:
    asked: dict[str, Any] = {"model": "echo", "messages": HELLO, "stream": True}
    answer = post(origin, {**asked, "stream_options": {"include_usage": True}} if usage else asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]) == "one two three"
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if not chunk["choices"]] == ([3] if usage else [])


def test_it_lists_and_shows_its_models(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == ["echo", "a/b"]
    assert sdk.models.retrieve("a/b").id == "a/b"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("none")


def test_a_wrong_key_is_refused_everywhere(origin: str) -> None:
    with openai.OpenAI(base_url=f"{origin}/v1", api_key="wrong", max_retries=0) as client:
        for call in (
            client.models.list,
            lambda: client.models.retrieve("echo"),
            lambda: client.chat.completions.create(model="echo", messages=HELLO),
        ):
            with pytest.raises(openai.AuthenticationError) as refused:
                call()
            assert refused.value.code == "invalid_api_key"


def test_the_key_is_looked_for_where_it_is_said_to_be() -> None:
    auth = Auth(header="x-api-key", scheme="")
    with serve_in_thread(create_reference(key=KEY, auth=auth, base_path="")) as origin:
        assert httpx2.get(f"{origin}/models", headers={"x-api-key": KEY}).status_code == 200
        assert httpx2.get(f"{origin}/models", headers={"authorization": f"Bearer {KEY}"}).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{", 400, "invalid_json", None),
        ([], 400, "missing_required_parameter", "model"),
        ({"model": 1}, 400, "missing_required_parameter", "model"),
        ({"model": "echo"}, 400, "missing_required_parameter", "messages"),
        ({"model": "echo", "messages": []}, 400, "missing_required_parameter", "messages"),
        ({"model": "echo", "messages": ["hi"]}, 400, "missing_required_parameter", "messages"),
        ({"model": "none", "messages": HELLO}, 404, "model_not_found", "model"),
    ],
)
def test_bad_requests_are_errors_in_openais_shape(
    origin: str, body: Any, status: int, code: str, param: str | None
) -> None:
    answer = post(origin, body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]
    assert error["type"] in ("invalid_request_error", "not_found_error")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/none", 404), ("DELETE", "/v1/models", 405)])
def test_unknown_paths_and_methods_too(origin: str, method: str, path: str, status: int) -> None:
    answer = httpx2.request(method, origin + path, headers={"authorization": f"Bearer {KEY}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "unknown_url")


@pytest.mark.parametrize("fault", ["401", "404", "429", "500"])
def test_a_status_is_answered_on_demand(origin: str, fault: str) -> None:
    in_header = post(origin, {"model": "echo", "messages": HELLO}, x_reference_fault=fault)
    in_body = post(origin, {"model": "echo", "messages": HELLO, "reference_fault": fault})
    listed = httpx2.get(f"{origin}/v1/models", headers={"authorization": f"Bearer {KEY}", "x-reference-fault": fault})
    shown = httpx2.get(
        f"{origin}/v1/models/echo", headers={"authorization": f"Bearer {KEY}", "x-reference-fault": fault}
    )
    for answer in (in_header, in_body, listed, shown):
        assert str(answer.status_code) == fault
        assert answer.json()["error"]["code"]
        assert ("retry-after" in answer.headers) == (fault == "429")


def test_it_is_slow_on_demand(origin: str) -> None:
    began = time.monotonic()
    answer = post(origin, {"model": "echo", "messages": HELLO}, x_reference_fault="slow:0.2")
    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("stream", [True, False])
def test_it_breaks_off_on_demand(origin: str, stream: bool) -> None:
    with pytest.raises(httpx2.TransportError):
        post(origin, {"model": "echo", "messages": HELLO, "stream": stream}, x_reference_fault="cut")


def test_it_writes_malformed_answers_on_demand(origin: str) -> None:
    asked = {"model": "echo", "messages": HELLO}
    with pytest.raises(ValueError, match=r"."):
        post(origin, asked, x_reference_fault="malformed").json()
    streamed = post(origin, {**asked, "stream": True}, x_reference_fault="malformed").text
    bad = [line for line in streamed.split("\n\n") if line == 'data: {"choices": [']
    assert len(bad) == 1
    assert streamed.endswith("data: [DONE]\n\n")


WEATHER: Any = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TIME: Any = {"name": "time", "parameters": None}
TOOLS: Any = [{"type": "function", "function": WEATHER}, {"type": "function", "function": TIME}, "no tool"]


@pytest.mark.parametrize(
    ("more", "called"),
    [
        ({}, ["weather"]),
        ({"tool_choice": "auto"}, ["weather"]),
        ({"tool_choice": {"type": "function", "function": {"name": "time"}}}, ["time"]),
        ({"parallel_tool_calls": True}, ["weather", "time"]),
        ({"tool_choice": "none"}, []),
        ({"tools": "odd"}, []),
    ],
)
def test_a_tool_that_is_offered_is_called(origin: str, more: dict[str, Any], called: list[str]) -> None:
    asked = {"model": "echo", "messages": HELLO, "tools": TOOLS, **more}
    choice = post(origin, asked).json()["choices"][0]
    calls = choice["message"].get("tool_calls", [])
    assert [call["function"]["name"] for call in calls] == called
    assert choice["finish_reason"] == ("tool_calls" if called else "stop")
    wanted = {"weather": {"city": "example"}, "time": {}}
    assert all(json.loads(call["function"]["arguments"]) == wanted[call["function"]["name"]] for call in calls)


def test_streamed_tool_calls_come_in_pieces_that_make_the_whole(sdk: openai.OpenAI) -> None:
    with sdk.chat.completions.stream(model="echo", messages=HELLO, tools=TOOLS[:2], parallel_tool_calls=True) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    told = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
    assert told == [("weather", {"city": "example"}), ("time", {})]


def test_the_result_of_a_tool_is_said_again(origin: str) -> None:
    result = {"role": "tool", "tool_call_id": "call00001", "content": "sunny today"}
    answer = post(origin, {"model": "echo", "messages": [*HELLO, result], "tools": TOOLS}).json()
    assert answer["choices"][0]["message"]["content"] == "sunny today"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"type": "json_schema", "json_schema": {"schema": {"type": "integer"}}}, "1"),
        ({"type": "json_schema", "json_schema": "odd"}, "{}"),
        ({"type": "text"}, "one two three"),
    ],
)
def test_an_answer_keeps_to_the_schema_that_was_asked_for(origin: str, form: Any, said: str) -> None:
    answer = post(origin, {"model": "echo", "messages": HELLO, "response_format": form}).json()
    assert answer["choices"][0]["message"]["content"] == said


@pytest.mark.parametrize("form", ["base64", "float"])
def test_texts_become_vectors_in_the_form_that_was_asked_for(sdk: openai.OpenAI, form: Any) -> None:
    told = sdk.embeddings.create(model="echo", input=["one two", "three"], encoding_format=form)
    again = sdk.embeddings.create(model="echo", input="three")
    assert [len(row.embedding) for row in told.data] == [8, 8] or form == "base64"
    assert told.data[1].embedding == again.data[0].embedding or form == "base64"
    assert len(told.data[0].embedding) == (44 if form == "base64" else 8)
    assert told.usage.prompt_tokens == 3


def test_vectors_of_nothing_are_refused_and_faults_are_shown(origin: str) -> None:
    def embed(body: Any, **headers: str) -> httpx2.Response:
        given = {"authorization": f"Bearer {KEY}", **headers}
        return httpx2.post(f"{origin}/v1/embeddings", json=body, headers=given, timeout=10)

    refused = embed({"model": "echo"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
    assert embed({"model": "echo", "input": "x"}, **{"x-reference-fault": "500"}).status_code == 500
    assert embed({"model": "other", "input": "x"}).status_code == 404
