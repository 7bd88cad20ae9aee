"""Messages through a real router to a provider that speaks them."""

import asyncio
import json
from typing import Any

import anthropic
import httpx2
import pytest

from modelscan.reference import create_reference
from modelscan.settings import Settings
from modelscan.types import Auth, ClientSpec
from modelscan.wire import WireProtocol
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from modelscan.wire.custom_rest import KNOWN_MAPPINGS
from tests.router_app.peers import Scripted
from tests.router_app.routers import KEY, Router, a_spec, routed

HELLO: Any = [{"role": "user", "content": "one two three"}]
ASKED: Any = {"model": "claudia/echo", "messages": HELLO, "max_tokens": 16}


def messages_spec(origin: str, **more: Any) -> ClientSpec:
    dressed = {"protocol": "anthropic_messages", "endpoints": ANTHROPIC_MESSAGES.endpoints, **more}
    return a_spec(origin, "claudia", **{"headers": ANTHROPIC_MESSAGES.headers, **dressed})


def serving(settings: Settings, app: Any = None, environ: Any = None, **more: Any) -> Any:
    """A router with `claudia`, who speaks Messages, and `acme`, who speaks OpenAI's."""
    peer = app or create_reference(protocol="anthropic_messages")
    return routed(
        settings,
        peers={"claudia": peer, "acme": create_reference(models=("anvil",))},
        specs=lambda origins: [
            messages_spec(origins["claudia"], **more),
            a_spec(f"{origins['acme']}/v1", models=("anvil",)),
        ],
        environ=environ or {},
    )


def claude(router: Router) -> anthropic.AsyncAnthropic:
    """The official client, pointed at the router."""
    return anthropic.AsyncAnthropic(base_url=router.url, api_key="any", max_retries=0)


async def post(router: Router, body: Any = None, **headers: str) -> httpx2.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await router.http.post("/v1/messages", json=body or ASKED, headers=given)


def test_the_official_client_chats_and_streams_and_its_tokens_are_counted(settings: Settings) -> None:
    async def story() -> None:
        async with serving(settings) as router, claude(router) as client:
            answer = await client.messages.create(**ASKED)
            assert [block.text for block in answer.content if block.type == "text"] == ["one two three"]
            async with client.messages.stream(model="echo", messages=HELLO, max_tokens=2) as stream:
                assert await stream.get_final_text() == "one two"
            rows = router.usage()
        names = ("provider", "stream", "prompt_tokens", "completion_tokens")
        told = [tuple(row[name] for name in names) for row in rows]
        assert told == [("claudia", False, 3, 3), ("claudia", True, 3, 2)]

    asyncio.run(story())


def test_the_official_clients_query_reaches_the_provider(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with serving(settings, peer) as router, claude(router) as client:
            await client.messages.create(**ASKED, extra_query={"beta": "true"})
        assert peer.targets == ["/v1/messages?beta=true"]

    asyncio.run(story())


def test_the_bytes_of_a_stream_are_the_providers(settings: Settings) -> None:
    async def story() -> None:
        pieces = [b"event: message_sta", b'rt\ndata: {"type":"message_start"}\n', b"\n: note\n\n"]
        peer = Scripted(pieces, content_type=b"text/event-stream", headers=[(b"request-id", b"req_theirs")])
        async with serving(settings, peer) as router:
            answer = await post(router, {**ASKED, "stream": True, "odd": [1.5, None]})
        assert answer.content == b"".join(pieces)
        assert answer.headers["request-id"] == "req_theirs"
        assert answer.headers["x-modelscan-provider"] == "claudia"
        assert json.loads(peer.requests[0][1]) == {**ASKED, "model": "echo", "stream": True, "odd": [1.5, None]}

    asyncio.run(story())


def test_the_provider_gets_its_own_key_and_the_callers_beta_and_version(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        auth = Auth(header="x-api-key", scheme="", env=("CLAUDIA_API_KEY",))
        async with serving(settings, peer, {"CLAUDIA_API_KEY": KEY}, auth=auth) as router:
            await post(router, x_api_key="the-callers", authorization="Bearer the-callers", cookie="a=b")
            await post(router, anthropic_beta="tools-2024-04-04", anthropic_version="2026-10-21")
        plain, versioned = (headers for headers, _ in peer.requests)
        assert (plain[b"x-api-key"], plain[b"anthropic-version"]) == (KEY.encode(), b"2023-06-01")
        assert not {b"authorization", b"cookie", b"anthropic-beta"} & plain.keys()
        assert (versioned[b"anthropic-version"], versioned[b"anthropic-beta"]) == (b"2026-10-21", b"tools-2024-04-04")

    asyncio.run(story())


@pytest.mark.parametrize("fault", ["401", "429", "500"])
def test_the_providers_errors_reach_the_caller(settings: Settings, fault: str) -> None:
    async def story() -> None:
        async with serving(settings) as router:
            answer = await post(router, {**ASKED, "reference_fault": fault})
        assert str(answer.status_code) == fault
        assert answer.json()["type"] == "error"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"messages": HELLO}, 400, "invalid-input"),
        ({**ASKED, "model": "claudia/none"}, 404, "model-not-found"),
        ({**ASKED, "model": "acme/anvil", "mcp_servers": []}, 400, "invalid-input"),
    ],
)
def test_our_own_errors_are_in_anthropics_shape(settings: Settings, body: Any, status: int, code: str) -> None:
    async def story() -> None:
        async with serving(settings) as router:
            answer = await post(router, body)
        assert (answer.status_code, answer.json()["type"], answer.json()["error"]["code"]) == (status, "error", code)

    asyncio.run(story())


@pytest.mark.parametrize("row", KNOWN_MAPPINGS, ids=lambda row: row.dialect)
def test_a_model_of_custom_rest_is_listed_and_served(settings: Settings, row: WireProtocol) -> None:
    async def story() -> None:
        peer = create_reference(protocol=row)
        dressed: dict[str, Any] = {"rest": row.rest, "endpoints": row.endpoints, "headers": {}}
        async with serving(settings, peer, protocol=row.name, **dressed) as router:
            listed = await router.http.get("/v1/models")
            answer = await post(router)
        assert "claudia/echo" in {model["id"] for model in listed.json()["data"]}
        assert answer.json()["content"] == [{"type": "text", "text": "one two three"}]

    asyncio.run(story())


def test_a_stream_that_breaks_off_ends_with_an_error_that_the_client_raises(settings: Settings) -> None:
    async def story() -> None:
        async with serving(settings) as router, claude(router) as client:
            stream = await client.messages.create(**ASKED, stream=True, extra_body={"reference_fault": "cut"})
            with pytest.raises(anthropic.APIError, match="broke off"):
                [event async for event in stream]

    asyncio.run(story())


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_method_is_told_in_anthropics_shape_too(settings: Settings, method: str) -> None:
    async def story() -> None:
        async with serving(settings) as router:
            answer = await router.http.request(method, "/v1/messages")
        assert (answer.status_code, answer.json()["type"]) == (405, "error")

    asyncio.run(story())
