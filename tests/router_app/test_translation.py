"""Each official client against providers that speak another protocol than it, through a real router."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from modelscan.reference import create_reference, serve
from modelscan.types import Model
from modelscan.wire import protocol_named
from tests.router_app.peers import Scripted
from tests.router_app.routers import Router
from tests.router_app.standing import Standing, spec_of, standing
from tests.wire.chat.test_answers import COMPLETION, MESSAGE
from tests.wire.chat.test_streams import BLOCKS, CHUNKS, sse

HELLO: Any = [{"role": "user", "content": "one two three"}]
TOOL: Any = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}
FUNCTION: Any = {"type": "function", "function": {"name": "look", "parameters": TOOL["input_schema"]}}
FLAT: Any = {"type": "function", "name": "look", "parameters": TOOL["input_schema"], "strict": False}
RESTS = ("cohere_v2", "gemini_generate_content", "ollama_chat")
ALL = ("openai_chat", "anthropic_messages", *RESTS)
SSE = b"text/event-stream"


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), ()) as found:
        yield found


@asynccontextmanager
async def serving(stood: Standing, protocol: str, app: Any = None, **more: Any) -> AsyncIterator[Router]:
    """The router with one provider, `peer`, who speaks `protocol` and has the model `echo`."""
    async with serve(app or create_reference(protocol=protocol)) as origin:
        stood.serve_only(spec_of(protocol, origin, provider="peer").model_copy(update=more))
        yield replace(stood.router, skipped=len(stood.router.usage()))


@pytest.mark.parametrize("protocol", [one for one in ALL if one != "openai_chat"])
def test_openais_client_chats_and_streams_with_each_provider(stood: Standing, protocol: str) -> None:
    async def story() -> None:
        async with serving(stood, protocol) as router, nullcontext(stood.openai) as client:
            whole = await client.chat.completions.create(model="peer/echo", messages=HELLO)
            assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("one two three", "stop")
            assert whole.usage is not None
            assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (3, 3)
            given: Any = {"model": "echo", "messages": HELLO, "stream_options": {"include_usage": True}}
            async with client.chat.completions.stream(**given) as stream:
                final = await stream.get_final_completion()
            assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("one two three", "stop")
            assert final.usage is not None
            assert final.usage.completion_tokens == 3
            rows = [(row["stream"], row["prompt_tokens"], row["completion_tokens"]) for row in router.usage()]
        assert rows == [(False, 3, 3), (True, 3, 3)]

    stood.tell(story)


def test_features_that_only_anthropics_protocol_can_be_asked_for_are_named_as_dropped(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "openai_chat") as router:
            body = {"model": "echo", "messages": HELLO, "max_tokens": 9}
            for more, dropped in [({}, "anthropic-beta"), ({"top_k": 1}, "top_k, anthropic-beta, query.beta")]:
                headers = {"anthropic-beta": "context-1m-2025-08-07"}
                path = "/v1/messages?beta=true" if more else "/v1/messages"
                answer = await router.http.post(path, json={**body, **more}, headers=headers)
                assert (answer.status_code, answer.headers["x-modelscan-dropped"]) == (200, dropped)

    stood.tell(story)


@pytest.mark.parametrize("protocol", [one for one in ALL if one != "anthropic_messages"])
def test_anthropics_client_chats_and_streams_with_each_provider(stood: Standing, protocol: str) -> None:
    async def story() -> None:
        async with serving(stood, protocol) as router, nullcontext(stood.claude) as client:
            whole = await client.messages.create(model="peer/echo", messages=HELLO, max_tokens=9)
            assert [block.text for block in whole.content if block.type == "text"] == ["one two three"]
            assert (whole.stop_reason, whole.usage.input_tokens, whole.usage.output_tokens) == ("end_turn", 3, 3)
            async with client.messages.stream(model="echo", messages=HELLO, max_tokens=2) as stream:
                final = await stream.get_final_message()
            assert [block.text for block in final.content if block.type == "text"] == ["one two"]
            assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("max_tokens", 3, 2)
            assert [row["completion_tokens"] for row in router.usage()] == [3, 2]

    stood.tell(story)


@pytest.mark.parametrize("protocol", ["openai_chat", "anthropic_messages", "ollama_chat"])
def test_responses_are_served_from_each_provider(stood: Standing, protocol: str) -> None:
    async def story() -> None:
        async with serving(stood, protocol), nullcontext(stood.openai) as client:
            whole = await client.responses.create(model="peer/echo", input="one two three", instructions="Echo.")
            assert (whole.output_text, whole.status, whole.instructions) == ("one two three", "completed", "Echo.")
            async with client.responses.stream(model="echo", input=HELLO, max_output_tokens=2) as stream:
                kinds = [event.type async for event in stream]
            assert kinds[0] == "response.created"
            assert kinds[-1] == "response.incomplete"
            streamed = await client.responses.create(model="echo", input=HELLO, stream=True)
            *_, last = [event async for event in streamed]
            assert last.type == "response.completed"
            assert last.response.output_text == "one two three"
            assert last.response.usage is not None
            assert last.response.usage.output_tokens == 3

    stood.tell(story)


def answers(payload: Any) -> Scripted:
    return Scripted([json.dumps(payload).encode()])


def streams(events: list[Any], *, done: bool = False) -> Scripted:
    """A stream in pieces of 50 bytes."""
    body = sse(events, done=done)
    return Scripted([body[at : at + 50] for at in range(0, len(body), 50)], content_type=SSE)


def test_openais_client_uses_tools_of_a_model_that_speaks_messages(stood: Standing) -> None:
    async def story() -> None:
        peer = answers(MESSAGE)
        async with serving(stood, "anthropic_messages", peer), nullcontext(stood.openai) as client:
            asked: Any = {"model": "echo", "messages": HELLO, "tools": [FUNCTION]}
            answer = await client.chat.completions.create(**asked)
            message = answer.choices[0].message
            assert message.tool_calls is not None
            results: Any = [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in message.tool_calls]
            again = [*HELLO, message.model_dump(), *results]
            await client.chat.completions.create(**{**asked, "messages": again})
        blocks = json.loads(peer.requests[1][1])["messages"]
        assert [block["type"] for block in blocks[1]["content"]] == [
            "thinking",
            "redacted_thinking",
            "text",
            "tool_use",
        ]
        assert blocks[2]["content"][0] | {"content": 0} == {
            "type": "tool_result",
            "tool_use_id": "toolu_1",
            "content": 0,
        }

    stood.tell(story)


def test_openais_client_streams_the_calls_of_a_model_that_speaks_messages(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "anthropic_messages", streams(BLOCKS)), nullcontext(stood.openai) as client:
            async with client.chat.completions.stream(model="echo", messages=HELLO, tools=[FUNCTION]) as stream:
                choice = (await stream.get_final_completion()).choices[0]
            assert choice.finish_reason == "tool_calls"
            assert choice.message.tool_calls is not None
            called = [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
            assert called == [("call_1", "look", '{"city":"Rome"}'), ("call_2", "listen", "{}")]
            assert choice.message.model_extra is not None
            assert choice.message.model_extra["reasoning_content"] == "hm"

    stood.tell(story)


def test_anthropics_client_uses_and_streams_tools_of_a_model_that_speaks_chat_completions(stood: Standing) -> None:
    async def story() -> None:
        whole, streamed = answers(COMPLETION), streams(CHUNKS, done=True)
        asked: Any = {"model": "echo", "max_tokens": 99, "tools": [TOOL]}
        async with serving(stood, "openai_chat", whole), nullcontext(stood.claude) as client:
            answer = await client.messages.create(**asked, messages=HELLO)
            calls = [block for block in answer.content if block.type == "tool_use"]
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls]
            turns: Any = [
                *HELLO,
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": results},
            ]
            again = await client.messages.with_raw_response.create(**asked, messages=turns)
            assert again.headers["x-modelscan-dropped"] == "messages.thinking"
        sent = json.loads(whole.requests[1][1])["messages"]
        assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
        assert [message["tool_call_id"] for message in sent[2:]] == ["call_1", "call_2"]
        async with serving(stood, "openai_chat", streamed), nullcontext(stood.claude) as client:
            async with client.messages.stream(**asked, messages=HELLO) as stream:
                final = await stream.get_final_message()
            assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
            assert [block.input for block in final.content if block.type == "tool_use"] == [{"city": "Rome"}, {}]
            assert final.usage.output_tokens == 4

    stood.tell(story)


@pytest.mark.parametrize("protocol", ["openai_chat", "anthropic_messages"])
def test_responses_use_and_stream_tools_of_both(stood: Standing, protocol: str) -> None:
    async def story() -> None:
        payload, events = (COMPLETION, CHUNKS) if protocol == "openai_chat" else (MESSAGE, BLOCKS)
        peer = answers(payload)
        async with serving(stood, protocol, peer), nullcontext(stood.openai) as client:
            answer = await client.responses.create(model="echo", input=HELLO, tools=[FLAT])
            calls = [item for item in answer.output if item.type == "function_call"]
            results = [{"type": "function_call_output", "call_id": call.call_id, "output": "sun"} for call in calls]
            turns: Any = [*HELLO, *(item.model_dump(exclude_none=True) for item in answer.output), *results]
            await client.responses.create(model="echo", input=turns, tools=[FLAT])
        assert len(json.loads(peer.requests[1][1])["messages"]) == 2 + (len(calls) if protocol == "openai_chat" else 1)
        peer = streams(events, done=protocol == "openai_chat")
        async with serving(stood, protocol, peer), nullcontext(stood.openai) as client:
            async with client.responses.stream(model="echo", input=HELLO, tools=[FLAT]) as stream:
                final = await stream.get_final_response()
            assert [item.arguments for item in final.output if item.type == "function_call"] == [
                '{"city":"Rome"}',
                "{}",
            ]

    stood.tell(story)


@pytest.mark.parametrize(
    ("protocol", "fault", "error"),
    [
        ("openai_chat", "401", "AuthenticationError"),
        ("anthropic_messages", "429", "RateLimitError"),
        ("cohere_v2", "404", "NotFoundError"),
        ("gemini_generate_content", "500", "InternalServerError"),
    ],
)
def test_the_providers_errors_reach_each_client_in_its_own_shape(
    stood: Standing, protocol: str, fault: str, error: str
) -> None:
    async def story() -> None:
        headers = {**protocol_named(protocol).headers, "x-reference-fault": fault}
        async with serving(stood, protocol, headers=headers):
            async with nullcontext(stood.openai) as client:
                for ask in (
                    client.chat.completions.create(model="echo", messages=HELLO),
                    client.responses.create(model="echo", input="hi", stream=True),
                ):
                    with pytest.raises(getattr(openai, error)) as told:
                        await ask
                    assert told.value.body["message"]
            async with nullcontext(stood.claude) as other:
                with pytest.raises(getattr(anthropic, error)) as refused:
                    await other.messages.create(model="echo", messages=HELLO, max_tokens=9)
                assert refused.value.body["error"]["message"]
                assert (refused.value.response.headers.get("retry-after") == "1") == (fault == "429")

    stood.tell(story)


@pytest.mark.parametrize("protocol", ["openai_chat", "anthropic_messages", "ollama_chat"])
def test_a_stream_that_breaks_off_ends_with_an_error_that_each_client_raises(stood: Standing, protocol: str) -> None:
    async def story() -> None:
        headers = {**protocol_named(protocol).headers, "x-reference-fault": "cut"}
        async with serving(stood, protocol, headers=headers) as router:
            async with nullcontext(stood.openai) as client:
                asked = await client.responses.create(model="echo", input=HELLO, stream=True)
                kinds: list[str] = []
                with pytest.raises(openai.APIError, match="broke off"):
                    await _noted(asked, kinds)
                assert kinds[-1] == "response.failed"
                chat = await client.chat.completions.create(model="echo", messages=HELLO, stream=True)
                with pytest.raises(openai.APIError, match="broke off"):
                    [chunk async for chunk in chat]
            async with nullcontext(stood.claude) as other:
                stream = await other.messages.create(model="echo", messages=HELLO, max_tokens=9, stream=True)
                with pytest.raises(anthropic.APIError, match="broke off"):
                    [event async for event in stream]
            rows = router.usage()
        assert {(row["status"], row["error_code"]) for row in rows} == {(502, "upstream-failed")}

    stood.tell(story)


async def _noted(events: Any, kinds: list[str]) -> None:
    async for event in events:
        kinds.append(event.type)


ASKED: Any = {"model": "echo", "messages": HELLO, "max_tokens": 9}


async def post(router: Router, path: str = "/v1/messages", **more: Any) -> httpx2.Response:
    return await router.http.post(path, json={**ASKED, **more})


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (Scripted([b"data: [DONE]\n\n"], content_type=SSE), "holds nothing"),
        (Scripted([b'data: {"error": {"message": "Busy."}}\n\n'], content_type=SSE), "Busy."),
        (Scripted([b"{}"]), "no answer of its protocol"),
        (Scripted([b"<html>"]), "no answer of its protocol"),
    ],
)
def test_a_stream_that_fails_before_it_begins_is_an_error_without_a_stream(
    stood: Standing, peer: Scripted, said: str
) -> None:
    async def story() -> None:
        async with serving(stood, "openai_chat", peer) as router:
            answer = await post(router, stream=True)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")
            assert said in answer.json()["error"]["message"]
            assert [row["status"] for row in router.usage()] == [502]

    stood.tell(story)


def test_an_error_within_a_stream_ends_it_and_nothing_more_is_read(stood: Standing) -> None:
    async def story() -> None:
        peer = streams([*CHUNKS[:4], {"error": {"message": "Busy."}}, *CHUNKS[4:]], done=True)
        async with serving(stood, "openai_chat", peer) as router:
            answer = await post(router, stream=True)
            assert answer.status_code == 200
            assert answer.text.endswith("\n\n")
            assert json.loads(answer.text.splitlines()[-2][6:])["error"]["message"] == "Busy."
            assert [row["error_code"] for row in router.usage()] == ["upstream-failed"]

    stood.tell(story)


def test_an_answer_that_comes_as_one_is_streamed_to_who_asked_for_a_stream(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "openai_chat", answers(COMPLETION)) as router:
            answer = await post(router, stream=True)
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.text.count("event: message_stop") == 1
            assert [row["prompt_tokens"] for row in router.usage()] == [30]

    stood.tell(story)


def test_an_error_in_no_known_shape_still_says_who_answered_what(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "openai_chat", Scripted([b"<html>"], status=503)) as router:
            answer = await post(router)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
            assert answer.json()["error"]["message"] == "peer answered with status 503 and no message."

    stood.tell(story)


def test_what_is_dropped_is_said_and_what_cannot_be_carried_is_refused_by_its_name(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "openai_chat") as router:
            answer = await post(router, top_k=3)
            assert answer.headers["x-modelscan-dropped"] == "top_k"
            assert "x-modelscan-dropped" not in (await post(router)).headers
            assert "x-modelscan-dropped" not in (await post(router, "/v1/chat/completions", top_k=3)).headers
            refused = await post(router, mcp_servers=[])
            assert refused.status_code == 400
            error = refused.json()["error"]
            assert (error["type"], error["code"], error["param"]) == (
                *("invalid_request_error", "invalid-input", "mcp_servers"),
            )
            refused = await router.http.post("/v1/responses", json={"model": "echo", "input": "", "background": True})
            assert refused.json()["error"]["param"] == "background"

    stood.tell(story)


def test_the_providers_limit_is_the_models_own_where_the_caller_gives_none(stood: Standing) -> None:
    async def story() -> None:
        peer = answers(MESSAGE)

        known = (Model(id="echo", output_tokens=777),)
        async with serving(stood, "anthropic_messages", peer, models=known), nullcontext(stood.openai) as client:
            await client.chat.completions.create(model="echo", messages=HELLO)
        sent, headers = json.loads(peer.requests[0][1]), peer.requests[0][0]
        assert (sent["max_tokens"], sent["model"], peer.targets) == (777, "echo", ["/v1/messages?"])
        assert headers[b"anthropic-version"] == b"2023-06-01"

    stood.tell(story)


def test_tokens_are_counted_where_the_provider_counts_them(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "anthropic_messages"), nullcontext(stood.claude) as client:
            counted = await client.messages.count_tokens(model="echo", messages=HELLO)
            assert counted.input_tokens == 3
        chat_only = protocol_named("anthropic_messages").endpoints[:1]
        for protocol, more in (("openai_chat", {}), ("anthropic_messages", {"endpoints": chat_only})):
            async with serving(stood, protocol, **more), nullcontext(stood.claude) as client:
                with pytest.raises(anthropic.BadRequestError, match="no endpoint for count_tokens"):
                    await client.messages.count_tokens(model="echo", messages=HELLO)

    stood.tell(story)


def test_custom_rest_takes_text_alone_and_says_so(stood: Standing) -> None:
    async def story() -> None:
        async with serving(stood, "ollama_chat") as router:
            refused = await post(router, tools=[TOOL])
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")

    stood.tell(story)
