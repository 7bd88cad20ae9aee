"""Chats through a real router to a real provider on loopback."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import openai
import pytest

from modelscan.settings import Settings
from modelscan.types import Auth, ClientSpec
from modelscan.wire.openai_chat import OPENAI_CHAT
from router_app.gate import Gate
from router_app.inference import Inference
from router_app.service import Service
from tests.places import settings_in
from tests.router_app.peers import Endless, Scripted
from tests.router_app.routers import (
    KEY,
    Lasting,
    Router,
    a_spec,
    chat_body,
    eventually,
    lasting,
    publish,
    routed,
    routed_to_reference,
    scripted,
    sdk,
)

WITH_KEY = Auth(env=("ACME_API_KEY",))
DONE = b"data: [DONE]\n\n"


def test_a_chat_is_answered_with_whose_it_was(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.chat("acme/echo", "hello there")
            assert answer.status_code == 200
            assert answer.json()["choices"][0]["message"]["content"] == "hello there"
            assert answer.json()["model"] == "echo"
            assert answer.headers["x-modelscan-provider"] == "acme"
            assert answer.headers["x-modelscan-generation"] == "1"
            assert answer.headers["x-request-id"] != answer.headers["x-upstream-request-id"]
            assert answer.headers["x-ratelimit-remaining-requests"] == "999"

    asyncio.run(story())


def test_each_answer_leaves_its_usage_row_before_it_is_complete(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.chat("acme:echo", "one two three")
            (row,) = router.usage()
            assert row["request_id"] == answer.headers["x-request-id"]
            assert (row["asked_model"], row["provider"], row["model"]) == ("acme:echo", "acme", "echo")
            assert (row["prompt_tokens"], row["completion_tokens"], row["status"]) == (3, 3, 200)
            assert 0 < row["first_byte_ms"] <= row["latency_ms"]

    asyncio.run(story())


def test_the_openai_sdk_chats_streams_and_lists(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, sdk(router) as client:
            plain = await client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "one"}])
            assert plain.choices[0].message.content == "one"
            stream = await client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": "two three"}], stream=True
            )
            chunks = [chunk async for chunk in stream]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "two three"
            assert [model.id async for model in client.models.list()] == ["acme/echo"]
            assert (await client.models.retrieve("echo")).id == "acme/echo"
            with pytest.raises(openai.NotFoundError, match="The nearest: acme/echo"):
                await client.models.retrieve("acme/eco")

    asyncio.run(story())


@pytest.mark.parametrize("asks", [True, False])
def test_the_usage_chunk_is_for_those_who_ask_and_the_row_has_it_always(settings: Settings, asks: bool) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asks else {}
            answer = await router.chat("echo", "one two", stream=True, **options)
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert (b'"usage"' in answer.content) is asks
            assert answer.content.endswith(DONE)
            (row,) = router.usage()
            assert (row["prompt_tokens"], row["completion_tokens"], row["stream"]) == (2, 2, True)

    asyncio.run(story())


def test_unknown_fields_pass_and_the_callers_credentials_do_not(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with scripted(peer, settings) as router:
            headers = {"authorization": "Bearer the-callers", "cookie": "a=b", "x-api-key": "the-callers"}
            body = chat_body("acme/echo", new_field={"deep": [1, 2.5, "ü"]}, big=12345678901234567890)
            await router.http.post("/v1/chat/completions", json=body, headers=headers)
            ((sent, received),) = peer.requests
            assert json.loads(received) == {**body, "model": "echo"}
            assert b"the-callers" not in b"".join(sent.values())
            assert b"cookie" not in sent
            assert sent[b"accept-encoding"] == b"identity"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (Auth(), b"authorization", f"Bearer {KEY}"),
        (Auth(header="X-Api-Key", scheme=""), b"x-api-key", KEY),
    ],
)
def test_the_key_goes_where_the_specification_says(settings: Settings, auth: Auth, header: bytes, value: str) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with scripted(peer, settings, auth=auth) as router:
            await router.admin("POST", "/keys/add", json={"provider": "acme", "api_key": KEY})
            await router.chat("acme/echo")
            assert peer.requests[0][0][header] == value.encode()
            assert router.usage()[0]["key_id"]

    asyncio.run(story())


def test_without_a_key_the_error_says_how_to_add_one(settings: Settings) -> None:
    async def story() -> None:
        async with scripted(Scripted([b"{}"]), settings, auth=WITH_KEY) as router:
            answer = await router.chat("acme/echo")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no-usable-key")
            assert "modelscan keys add acme" in answer.json()["error"]["message"]

    asyncio.run(story())


def test_keys_are_used_in_turn_and_their_tokens_count(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b'{"usage":{"prompt_tokens":1000,"completion_tokens":1000}}'])
        async with scripted(peer, settings, auth=WITH_KEY) as router:
            for key in ("sk-one-0123456789", "sk-two-0123456789"):
                await router.admin("POST", "/keys/add", json={"provider": "acme", "api_key": key})
            for _ in range(4):
                await router.chat("acme/echo")
            used = [headers[b"authorization"] for headers, _ in peer.requests]
            assert sorted(used.count(one) for one in set(used)) == [2, 2]

    asyncio.run(story())


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    with lasting(routed_to_reference(settings_in(tmp_path_factory.mktemp("router")))) as found:
        yield found


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "invalid-input"),
        (b"{", 400, "invalid-input"),
        (b"[1]", 400, "invalid-input"),
        (b"[" * 100_000, 400, "invalid-input"),
        (b"{}", 400, "invalid-input"),
        (b'{"model": 5}', 400, "invalid-input"),
        (b'{"model": "unknown"}', 404, "model-not-found"),
        (rb'{"model": "\ud800"}', 404, "model-not-found"),
        (json.dumps({"model": "x" * 100_000}).encode(), 404, "model-not-found"),
    ],
)
def test_what_cannot_be_used_is_an_error_in_openais_shape_and_a_row(
    stand: Lasting, content: bytes, status: int, code: str
) -> None:
    answer = stand.run(stand.router.http.post("/v1/chat/completions", content=content))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    row = stand.router.usage()[-1]
    assert (row["request_id"], row["error_code"]) == (answer.headers["x-request-id"], code)


def test_an_ambiguous_name_lists_the_choices(settings: Settings) -> None:
    def specs(_: Any) -> Sequence[ClientSpec]:
        return [a_spec("https://a.example/v1", name) for name in ("one", "two")]

    async def story() -> None:
        async with routed(settings, specs=specs) as router:
            answer = await router.chat("echo")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ambiguous-model")
            assert "one/echo, two/echo" in answer.json()["error"]["message"]

    asyncio.run(story())


@pytest.mark.parametrize("sent", [1_100, 5_000])
def test_too_large_a_body_is_a_413(settings: Settings, sent: int) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            app = Inference(router.service.serving, OPENAI_CHAT, max_body=1_000)
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
                answer = await http.post("/v1/chat/completions", content=b"x" * sent)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")

    asyncio.run(story())


@pytest.mark.parametrize("silent", [True, False])
def test_a_caller_who_leaves_cancels_the_upstream(settings: Settings, silent: bool) -> None:
    async def story() -> None:
        peer = Endless(silent=silent)
        async with routed(
            settings, peers={"acme": peer}, specs=lambda origins: [a_spec(f"{origins['acme']}/v1")]
        ) as router:
            asking = asyncio.create_task(router.chat("echo", stream=True))
            async with asyncio.timeout(10):
                await peer.began.wait()
            asking.cancel()
            async with asyncio.timeout(10):
                await peer.left.wait()
            await eventually(router.usage)
            (row,) = router.usage()
            assert (row["cancelled"], row["status"]) == (True, 499 if silent else 200)
            assert router.service.gate.running == 0

    asyncio.run(story())


def test_a_caller_who_leaves_while_sending_is_a_row_and_no_error(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            host, port = router.url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
            await writer.drain()
            await eventually(lambda: router.service.gate.running)
            writer.close()
            await writer.wait_closed()
            await eventually(router.usage)
            assert router.usage()[0]["cancelled"] is True

    asyncio.run(story())


def test_requests_before_the_first_registry_wait_for_it(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            registry = router.service.serving.current
            assert registry is not None
            waiting = Service(settings, {}, gate=Gate(), notify=lambda: None)
            app = Inference(waiting.serving, OPENAI_CHAT)
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
                asking = asyncio.create_task(http.post("/v1/chat/completions", json=chat_body("nothing")))
                await asyncio.sleep(0)
                waiting.serving.swap(registry)
                assert (await asking).status_code == 404
            await waiting.close()

    asyncio.run(story())


def test_a_swap_under_constant_load_fails_no_request(settings: Settings) -> None:
    """Sixteen callers keep asking, while new versions are published and loaded one after the other."""

    async def caller(router: Router, answers: list[httpx2.Response], stream: bool) -> None:
        while len(answers) < 600:
            answers.append(await router.chat("acme/echo", stream=stream))

    async def story() -> None:
        async with routed_to_reference(settings) as router:
            before = router.service.serving.current
            assert before is not None
            spec = before.served["acme"].spec
            answers: list[httpx2.Response] = []
            callers = [asyncio.create_task(caller(router, answers, number % 4 == 0)) for number in range(16)]
            swaps = 0
            while len(answers) < 600:
                changed = spec.model_copy(update={"name": f"Acme {swaps}"})
                await asyncio.to_thread(publish, settings, changed)
                assert (await router.admin("POST", "/reload")).json()["problems"] == []
                swaps += 1
            await asyncio.gather(*callers)
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.headers["x-modelscan-generation"] for answer in answers}) >= min(swaps, 2)
            assert len(router.usage()) == len(answers)

    asyncio.run(story())


def test_a_registry_that_does_not_come_is_a_503(settings: Settings) -> None:
    async def story() -> None:
        waiting = Service(settings, {}, gate=Gate(), notify=lambda: None)
        waiting.serving._first_seconds = 0.01
        app = Inference(waiting.serving, OPENAI_CHAT)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
            answer = await http.post("/v1/chat/completions", json=chat_body("nothing"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service-unavailable")
        await waiting.close()

    asyncio.run(story())


def test_a_provider_that_refuses_stream_options_is_not_sent_them(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([DONE], content_type=b"text/event-stream")
        async with scripted(peer, settings, quirks={"stream_usage": False}) as router:
            assert (await router.chat("acme/echo", stream=True)).status_code == 200
        assert "stream_options" not in json.loads(peer.requests[0][1])

    asyncio.run(story())


@pytest.mark.parametrize(
    ("quirks", "asked", "sent", "dropped"),
    [
        ({"max_tokens_field": "max_completion_tokens"}, {"max_tokens": 5}, {"max_completion_tokens": 5}, None),
        (
            {"max_tokens_field": "max_completion_tokens"},
            {"max_tokens": 5, "max_completion_tokens": 6},
            {"max_completion_tokens": 6},
            "max_tokens",
        ),
        ({"max_tokens_required": True}, {}, {"max_tokens": 4096}, None),
        ({"max_tokens_required": True}, {"max_completion_tokens": 7}, {"max_completion_tokens": 7}, None),
        ({}, {"max_tokens": 5}, {"max_tokens": 5}, None),
    ],
)
def test_the_limit_is_named_as_the_provider_likes_it_and_what_is_left_out_is_said(
    settings: Settings, quirks: dict[str, Any], asked: dict[str, int], sent: dict[str, int], dropped: str | None
) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with scripted(peer, settings, quirks=quirks) as router:
            answer = await router.chat("acme/echo", **asked)
        assert answer.headers.get("x-modelscan-dropped") == dropped
        body = json.loads(peer.requests[0][1])
        assert {name: value for name, value in body.items() if "tokens" in name} == sent

    asyncio.run(story())


def test_the_specifications_headers_and_query_are_sent(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with scripted(peer, settings, headers={"acme-version": "2"}, query={"api-version": "3"}) as router:
            assert (await router.chat("acme/echo")).status_code == 200
        assert peer.requests[0][0][b"acme-version"] == b"2"
        assert peer.targets == ["/v1/chat/completions?api-version=3"]

    asyncio.run(story())
