"""OpenAI's other endpoints: what is asked and answered passes as it is, forms and sound included."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from modelscan.errors import UpstreamFailed
from modelscan.reference import create_reference
from modelscan.settings import Settings
from modelscan.wire import protocol_named
from router_app.passing import PASSED
from tests.router_app.peers import Scripted
from tests.router_app.routers import a_spec, routed, routed_to_reference, scripted, sdk

SOUND = bytes(range(256)) * 40


def test_openais_client_gets_vectors_and_their_tokens_are_counted(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, sdk(router) as client:
            told = await client.embeddings.create(model="acme/echo", input=["one two", "three"])
            (row,) = router.usage()
        assert [len(vector.embedding) for vector in told.data] == [8, 8]
        assert (row["model"], row["status"], row["prompt_tokens"], row["completion_tokens"]) == ("echo", 200, 3, 0)

    asyncio.run(story())


@pytest.mark.parametrize("path", PASSED)
def test_a_body_passes_but_for_the_models_name(settings: Settings, path: str) -> None:
    async def story() -> None:
        peer = Scripted([b'{"id": 1}'])
        async with scripted(peer, settings) as router:
            answer = await router.http.post(f"/v1{path}", content=b'{"x": 1.50,  "model": "acme/echo"}')
        assert (answer.status_code, answer.content) == (200, b'{"id": 1}')
        assert (peer.targets, peer.requests[0][1]) == ([f"/v1{path}?"], b'{"x": 1.50,  "model": "echo"}')
        assert peer.requests[0][0][b"content-type"] == b"application/json"

    asyncio.run(story())


def test_a_bare_name_changes_no_byte(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"])
        async with scripted(peer, settings) as router:
            await router.http.post("/v1/completions", content=b' {"model":"echo"} ')
        assert peer.requests[0][1] == b' {"model":"echo"} '

    asyncio.run(story())


def test_openais_client_sends_sound_and_gets_words(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b'{"text": "hi"}'])
        async with scripted(peer, settings) as router, sdk(router) as client:
            told = await client.audio.transcriptions.create(model="acme/echo", file=("a.wav", SOUND))
        headers, body = peer.requests[0]
        assert told.text == "hi"
        assert headers[b"content-type"].startswith(b"multipart/form-data; boundary=")
        assert SOUND in body
        assert b"acme/echo" not in body

    asyncio.run(story())


def test_sound_passes_as_it_comes(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([SOUND[:5000], SOUND[5000:]], content_type=b"audio/mpeg")
        async with scripted(peer, settings) as router:
            asked = {"model": "echo", "input": "hi", "voice": "x"}
            answer = await router.http.post("/v1/audio/speech", json=asked)
            assert (answer.headers["content-type"], answer.content) == ("audio/mpeg", SOUND)
            assert router.usage()[0]["first_byte_ms"] > 0

    asyncio.run(story())


def test_a_streamed_completion_passes_event_by_event(settings: Settings) -> None:
    async def story() -> None:
        events = [
            b'data: {"choices":[{"text":"a"}]}\n\n',
            b'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
        ]
        async with scripted(Scripted(events, content_type=b"text/event-stream"), settings) as router:
            answer = await router.http.post("/v1/completions", json={"model": "echo", "prompt": "x", "stream": True})
            (row,) = router.usage()
        assert answer.content == b"".join(events)
        assert (row["stream"], row["prompt_tokens"], row["completion_tokens"]) == (True, 1, 2)

    asyncio.run(story())


@pytest.mark.parametrize("asks", [True, False])
def test_a_streamed_completion_is_asked_for_its_usage_which_is_hidden_again(settings: Settings, asks: bool) -> None:
    async def story() -> None:
        told = b'data: {"choices":[{"text":"a"}]}\n\n'
        usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
        peer = Scripted([told, usage, b"data: [DONE]\n\n"], content_type=b"text/event-stream")
        options = {"stream_options": {"include_usage": True}} if asks else {}
        async with scripted(peer, settings) as router:
            body = {"model": "echo", "prompt": "x", "stream": True, **options}
            answer = await router.http.post("/v1/completions", json=body)
            (row,) = router.usage()
        assert json.loads(peer.requests[0][1])["stream_options"] == {"include_usage": True}
        assert answer.content == told + (usage if asks else b"") + b"data: [DONE]\n\n"
        assert (row["prompt_tokens"], row["completion_tokens"]) == (1, 2)

    asyncio.run(story())


def test_what_a_provider_lacks_it_says_itself(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.http.post("/v1/moderations", json={"model": "echo", "input": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")

    asyncio.run(story())


def test_a_provider_of_another_protocol_is_not_asked(settings: Settings) -> None:
    async def story() -> None:
        row = protocol_named("anthropic_messages")
        async with routed(
            settings,
            peers={"acme": create_reference(protocol=row.name)},
            specs=lambda origins: [a_spec(origins["acme"], protocol=row.name, endpoints=row.endpoints)],
        ) as router:
            answer = await router.http.post("/v1/embeddings", json={"model": "echo", "input": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong-endpoint")

    asyncio.run(story())


def test_sound_that_breaks_off_cuts_the_connection_and_leaves_its_row(settings: Settings) -> None:
    class Breaking:
        status = 200
        headers = ((b"content-type", b"audio/mpeg"),)
        said = False

        async def send(self, *_: object, **__: object) -> "Breaking":
            return self

        def whole(self) -> None:
            """It comes piece by piece."""

        async def begun(self) -> None:
            """At once."""

        async def read(self) -> bytes:
            if self.said:
                raise UpstreamFailed("It broke off.")
            self.said = True
            return SOUND

        async def aclose(self) -> None:
            """Nothing is held."""

    async def story() -> None:
        async with routed_to_reference(settings) as router:
            before, router.service.serving.upstream = router.service.serving.upstream, Breaking()
            with pytest.raises(httpx2.RemoteProtocolError):
                await router.http.post("/v1/audio/speech", json={"model": "echo"})
            router.service.serving.upstream = before
            (row,) = router.usage()
        assert (row["status"], row["error_code"]) == (502, "upstream-failed")

    asyncio.run(story())


@pytest.mark.parametrize("body", [b"[]", json.dumps({"input": "x"}).encode()])
def test_a_body_without_a_model_is_refused(settings: Settings, body: Any) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.http.post("/v1/embeddings", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid-input")

    asyncio.run(story())
