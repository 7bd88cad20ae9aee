"""What a provider does wrong reaches the caller as it is, or as an error that says so."""

import asyncio

import openai
import pytest

from modelscan.settings import Settings
from tests.router_app.peers import Scripted
from tests.router_app.routers import (
    a_spec,
    routed,
    routed_to_reference,
    scripted,
    sdk,
)


@pytest.mark.parametrize("fault", ["401", "404", "429", "500"])
def test_the_providers_status_body_and_limits_reach_the_caller(settings: Settings, fault: str) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.chat("echo", reference_fault=fault)
            assert answer.status_code == int(fault)
            assert answer.json()["error"]["message"]
            assert ("retry-after" in answer.headers) is (fault == "429")
            assert router.usage()[0]["status"] == int(fault)

    asyncio.run(story())


def test_what_is_the_providers_own_business_stays_there(settings: Settings) -> None:
    async def story() -> None:
        headers = [(b"set-cookie", b"a=b"), (b"x-modelscan-provider", b"liar"), (b"openai-processing-ms", b"7")]
        async with scripted(Scripted([b"{}"], headers=headers), settings) as router:
            for _ in range(2):
                answer = await router.chat("echo")
            assert "set-cookie" not in answer.headers
            assert answer.headers.get_list("x-modelscan-provider") == ["acme"]
            assert answer.headers["openai-processing-ms"] == "7"

    asyncio.run(story())


def test_a_redirect_is_not_followed_and_not_handed_on(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b""], status=307, headers=[(b"location", b"https://elsewhere.example/")])
        async with scripted(peer, settings) as router:
            answer = await router.chat("echo")
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")

    asyncio.run(story())


@pytest.mark.parametrize("stream", [True, False])
def test_malformed_answers_pass_as_they_are(settings: Settings, stream: bool) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.chat("echo", "a b c", reference_fault="malformed", stream=stream)
            assert answer.status_code == 200
            assert (b'data: {"choices": [\n\n' if stream else b'{"id": "chatcmpl') in answer.content

    asyncio.run(story())


def test_an_answer_that_breaks_off_is_a_502(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.chat("echo", reference_fault="cut")
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")
            assert router.usage()[0]["error_code"] == "upstream-failed"

    asyncio.run(story())


def test_a_stream_that_breaks_off_ends_with_an_error_that_sdks_raise(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            async with sdk(router) as client:
                stream = await client.chat.completions.create(
                    model="echo",
                    messages=[{"role": "user", "content": "a b c d"}],
                    stream=True,
                    extra_body={"reference_fault": "cut"},
                )
                with pytest.raises(openai.APIError, match="broke off"):
                    [chunk async for chunk in stream]
            (row,) = router.usage()
            assert (row["status"], row["error_code"]) == (502, "upstream-failed")

    asyncio.run(story())


def test_a_provider_that_is_not_there_is_a_502(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings, specs=lambda _: [a_spec("http://127.0.0.1:9/v1")]) as router:
            answer = await router.chat("echo")
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")
            assert "127.0.0.1:9" in answer.json()["error"]["message"]

    asyncio.run(story())


def test_a_private_address_that_the_operator_did_not_name_is_refused(settings: Settings) -> None:
    async def story() -> None:
        async with scripted(Scripted([b"{}"]), settings, operator_host=False) as router:
            answer = await router.chat("echo")
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "host-refused")

    asyncio.run(story())


def test_an_address_with_an_unset_variable_says_which(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings, specs=lambda _: [a_spec("https://api.example/${NOT_SET_HOST}/v1")]) as router:
            answer = await router.chat("echo")
            assert answer.status_code == 503
            assert "NOT_SET_HOST" in answer.json()["error"]["message"]

    asyncio.run(story())
