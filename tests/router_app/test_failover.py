"""Several who may answer: the next one is asked where one fails, and an error names each of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pytest
from starlette.types import ASGIApp

from modelscan.reference import create_reference
from modelscan.settings import RoutingRule, RoutingSettings, Settings
from modelscan.types import Auth, ClientSpec, Quirks
from modelscan.wire import protocol_named
from tests.router_app.peers import Endless, Scripted
from tests.router_app.routers import KEY, Router, a_spec, routed, sdk
from tests.router_app.test_attempts import EXPLAIN, Moody

QUICK = {"retries": 1, "retry_seconds": 0.001, "longest_retry_seconds": 0.01}
CHAT = {"model": "all", "messages": [{"role": "user", "content": "hi"}]}


def rule(*targets: str, **more: Any) -> RoutingRule:
    return RoutingRule.model_validate({"match": "all", "targets": targets, **more})


@asynccontextmanager
async def router_over(
    settings: Settings,
    peers: Mapping[str, ASGIApp],
    routing: dict[str, Any],
    *rules: RoutingRule,
    **specs: dict[str, Any],
) -> AsyncIterator[Router]:
    """A router with a provider for each peer, under its name; `specs` says what is particular about one."""
    section = RoutingSettings.model_validate({**QUICK, **routing, "rules": rules})

    def published(origins: Any) -> Sequence[ClientSpec]:
        bases = {name: specs.get(name, {}).pop("base", "{}/v1").format(origins[name]) for name in peers}
        return [a_spec(bases[name], name, **specs.get(name, {})) for name in peers]

    async with routed(settings.model_copy(update={"routing": section}), peers=peers, specs=published) as router:
        yield router


def chatted(settings: Settings, peers: dict[str, Any], *rules: RoutingRule, **more: Any) -> Any:
    """The answer to one chat for `all`."""
    routing = more.pop("routing", {})

    async def story() -> Any:
        async with router_over(settings, peers, routing, *rules, **more) as router:
            return await router.http.post("/v1/chat/completions", json=CHAT, headers=EXPLAIN)

    return asyncio.run(story())


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_the_next_target_is_asked_where_one_fails(settings: Settings, status: int) -> None:
    bad, good = Moody([status]), Moody([200])
    answer = chatted(settings, {"bad": bad, "good": good}, rule("bad/echo", "good/echo"))
    assert (answer.status_code, answer.headers["x-modelscan-provider"]) == (200, "good")
    assert answer.headers["x-modelscan-path"] == f"bad no key {status}; good no key 200"
    assert len(bad.keys) == 1  # Another target is left: it is not tried again.


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_caller_did_wrong_is_not_asked_of_another(settings: Settings, status: int) -> None:
    bad, good = Moody([status]), Moody([200])
    answer = chatted(settings, {"bad": bad, "good": good}, rule("bad/echo", "good/echo"))
    assert (answer.status_code, answer.json()["error"]["message"], good.keys) == (status, f"mood {status}", [])


def test_a_fallback_is_asked_after_the_last_target_was_tried_again(settings: Settings) -> None:
    peers = {"bad": Moody([503]), "worse": Moody([500]), "good": Moody([200])}
    answer = chatted(settings, peers, rule("bad/echo", "worse/echo", fallbacks=["good/echo"]))
    path = "bad no key 503; worse no key 500; worse no key 500; good no key 200"
    assert (answer.status_code, answer.headers["x-modelscan-path"]) == (200, path)


def test_an_error_names_each_who_was_tried_or_skipped_and_why(settings: Settings) -> None:
    silent, peers = Endless(silent=True), {"bad": Moody([503]), "redirects": Moody([302])}
    rules = rule("bad/echo", "redirects/echo", "keyless/echo", "speechless/echo", fallbacks=["silent/echo"])
    answer = chatted(
        settings,
        {**peers, "keyless": Moody([200]), "speechless": Moody([200]), "silent": silent},
        rules,
        routing={"first_byte_seconds": 0.2},
        keyless={"auth": Auth()},
        speechless={"base": "http://127.0.0.1:1/${{ACME_ACCOUNT}}"},
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (502, "no-candidate-left")
    for told in (
        "bad/echo: answered with status 503",
        "redirects/echo: redirects answered with a redirect",
        "keyless/echo: keyless needs a key, and none can be used",
        "speechless/echo: The address of speechless contains ACME_ACCOUNT",
        "silent/echo: ",
        "nothing came for 0.2 s",
    ):
        assert told in error["message"]
    assert "keyless no key skipped" not in answer.headers["x-modelscan-path"].split("; ")[0]
    assert "speechless no key skipped service-unavailable" in answer.headers["x-modelscan-path"]


def test_who_is_skipped_stands_in_the_path_and_who_is_not_served_in_the_error(settings: Settings) -> None:
    async def story() -> None:
        peers = {"bad": Moody([503]), "keyless": Moody([200])}
        rules = rule("bad/echo", "nobody/echo", fallbacks=["keyless/echo"])
        routing = {"circuit_faults": 1, "circuit_seconds": 60}
        async with router_over(settings, peers, routing, rules, keyless={"auth": Auth()}) as router:
            await router.chat("bad/echo")
            answer = await router.http.post("/v1/chat/completions", json=CHAT, headers=EXPLAIN)
        path = "bad no key skipped circuit-open; keyless no key skipped no-usable-key"
        assert answer.headers["x-modelscan-path"] == path
        message = answer.json()["error"]["message"]
        assert "bad/echo: bad failed 2 times in a row" in message
        assert "nobody/echo: nobody serves it here" in message

    asyncio.run(story())


def test_who_is_not_served_is_named_beside_the_only_one_who_is(settings: Settings) -> None:
    answer = chatted(settings, {"bad": Moody([404])}, rule("bad/echo", "nobody/echo"))
    told = "bad/echo: answered with status 404; nobody/echo: nobody serves it here"
    assert (answer.status_code, told in answer.json()["error"]["message"]) == (502, True)


def test_who_fails_fast_does_not_come_first_for_that(settings: Settings) -> None:
    async def story() -> None:
        bad = Moody([404])
        rules = rule("bad/echo", "good/echo", balance="lowest_latency")
        async with router_over(settings, {"bad": bad, "good": Moody([200])}, {}, rules) as router:
            answers = [await router.http.post("/v1/chat/completions", json=CHAT) for _ in range(4)]
            seen = (await router.admin("GET", "/routes/explain", params={"model": "all"})).json()["candidates"]
        assert ([answer.status_code for answer in answers], len(bad.keys)) == ([200] * 4, 1)
        assert [(one["model"], one["first_byte_ms"] is None) for one in seen] == [
            ("good/echo", False),
            ("bad/echo", True),
        ]

    asyncio.run(story())


def test_where_all_want_to_be_left_alone_the_caller_hears_for_how_long(settings: Settings) -> None:
    peers = {"one": Moody([429], {"retry-after": "60"}), "two": Moody([429], {"retry-after": "20"})}
    answer = chatted(settings, peers, rule("one/echo", "two/echo"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate-limited")
    assert answer.headers["retry-after"] == "20"


def test_a_stream_that_breaks_off_before_it_began_goes_on_at_the_next(settings: Settings) -> None:
    class Breaking(Scripted):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"text/event-stream"), (b"content-length", b"100")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            raise ConnectionResetError

    async def story() -> None:
        peers: dict[str, ASGIApp] = {"bad": Breaking([]), "good": create_reference(models=("echo",))}
        async with router_over(settings, peers, {"retries": 0}, rule("bad/echo", "good/echo")) as router:
            async with sdk(router) as client:
                stream = await client.chat.completions.create(**CHAT, stream=True)  # type: ignore[call-overload]
                assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
            assert router.usage()[0]["provider"] == "good"

    asyncio.run(story())


def test_a_fallback_may_speak_another_protocol_in_both_directions(settings: Settings) -> None:
    speaks: dict[str, Any] = {
        "protocol": "anthropic_messages",
        "endpoints": protocol_named("anthropic_messages").endpoints,
        "quirks": Quirks(max_tokens_required=True),
        "base": "{}",
    }

    async def story() -> None:
        reference = create_reference(models=("echo",), protocol="anthropic_messages")
        peers: dict[str, ASGIApp] = {
            "down": Moody([503]),
            "other": reference,
            "same": create_reference(models=("echo",)),
        }
        rules = [rule("down/echo", "other/echo"), RoutingRule.model_validate({"match": "b", "targets": "same/echo"})]
        rules.append(rules[0].model_copy(update={"match": "c", "targets": (*rules[0].targets, *rules[1].targets)}))
        async with router_over(settings, peers, {}, *rules, other=speaks) as router:
            async with sdk(router) as client:
                answer = await client.chat.completions.create(**CHAT)  # type: ignore[call-overload]
                assert answer.choices[0].message.content
            async with anthropic.AsyncAnthropic(base_url=router.url, api_key="any", max_retries=0) as messages:
                for model in ("all", "b", "c"):
                    told = await messages.messages.create(model=model, max_tokens=50, messages=CHAT["messages"])  # type: ignore[arg-type]
                    assert told.content[0].type == "text"
            assert {row["provider"] for row in router.usage()} == {"other", "same"}

    asyncio.run(story())


def test_what_nobody_can_be_asked_is_the_callers_error(settings: Settings) -> None:
    speaks: dict[str, Any] = {
        "protocol": "anthropic_messages",
        "endpoints": protocol_named("anthropic_messages").endpoints,
    }

    async def story() -> None:
        peers = {"one": Moody([200]), "two": Moody([200])}
        async with router_over(settings, peers, {}, rule("one/echo", "two/echo"), one=speaks, two=speaks) as router:
            answer = await router.http.post("/v1/embeddings", json={"model": "all", "input": "x"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong-endpoint")
            assert (
                router.service.serving.balancer.load(
                    (await router.service.serving.routing()).plan("all").targets[0]
                ).requests
                == 0
            )

    asyncio.run(story())


def test_other_endpoints_fall_back_too(settings: Settings) -> None:
    async def story() -> None:
        good = Scripted([b'{"data": []}'])
        peers: dict[str, ASGIApp] = {"bad": Moody([503]), "good": good}
        async with router_over(settings, peers, {}, rule("bad/echo", "good/echo")) as router:
            answer = await router.http.post("/v1/moderations", json={"model": "all", "input": "x"})
            assert (answer.status_code, answer.json()) == (200, {"data": []})
            files: Any = {"file": ("a.wav", b"RIFF"), "model": (None, "all")}
            answer = await router.http.post("/v1/audio/transcriptions", files=files)
            assert (answer.status_code, answer.json()) == (200, {"data": []})
        assert json.loads(good.requests[0][1])["model"] == "echo"
        assert b"\r\n\r\necho\r\n" in good.requests[1][1]

    asyncio.run(story())


def test_a_provider_that_is_down_again_and_again_is_left_alone(settings: Settings) -> None:
    async def story() -> None:
        bad = Moody([503, 503, 503, 200])
        async with router_over(settings, {"bad": bad}, {"retries": 0, "circuit_faults": 3}) as router:
            answers = [await router.chat("echo") for _ in range(5)]
            assert [answer.status_code for answer in answers] == [503] * 5
            assert [answer.json()["error"]["code"] for answer in answers[3:]] == ["circuit-open"] * 2
            assert "bad failed 3 times in a row" in answers[3].text
            assert 1 <= int(answers[3].headers["retry-after"]) <= 15
            assert len(bad.keys) == 3

    asyncio.run(story())


def test_the_time_for_all_attempts_is_limited(settings: Settings) -> None:
    answer = chatted(settings, {"one": Endless(silent=True)}, rule("one/echo"), routing={"total_seconds": 0.3})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream-timeout")
    assert answer.headers["x-modelscan-path"] == "one no key upstream-timeout"
    slow = Moody([500])
    routing = {"total_seconds": 0.2, "retry_seconds": 0.5, "longest_retry_seconds": 1.0, "retries": 5}
    answer = chatted(settings, {"one": slow}, rule("one/echo"), routing=routing)
    assert (answer.status_code, answer.json()["error"]["code"], len(slow.keys)) == (504, "upstream-timeout", 1)


def test_a_stream_that_takes_too_long_ends_with_an_error_event(settings: Settings) -> None:
    async def story() -> None:
        async with router_over(settings, {"one": Endless()}, {"total_seconds": 0.3}) as router:
            answer = await router.chat("echo", stream=True)
            assert answer.status_code == 200
            assert "s in all" in answer.text.split("\n\n")[-2]
            assert router.usage()[0]["error_code"] == "upstream-timeout"

    asyncio.run(story())


def test_where_all_keys_rest_the_caller_hears_why_and_until_when(settings: Settings) -> None:
    keyed = Settings.model_validate({**settings.model_dump(), "api_keys": {"one": [KEY], "two": [KEY]}})
    peers = {"one": Moody([429], {"retry-after": "60"}), "two": Moody([401])}

    async def story() -> None:
        auth = {"auth": Auth()}
        async with router_over(keyed, peers, {"retries": 0}, one=auth, two=auth) as router:
            seen = [(await router.chat(f"{name}/echo")) for name in ("one", "one", "two", "two")]
            assert [answer.status_code for answer in seen] == [429, 429, 401, 503]
            assert [answer.json()["error"]["code"] for answer in seen[1::2]] == ["rate-limited", "no-usable-key"]
            assert 58 <= int(seen[1].headers["retry-after"]) <= 60
            assert "retry-after" not in seen[3].headers  # Not before somebody acts.
            assert [len(peer.keys) for peer in peers.values()] == [1, 1]

    asyncio.run(story())


def test_a_key_that_will_soon_have_rested_is_waited_for(settings: Settings) -> None:
    keyed = Settings.model_validate({**settings.model_dump(), "api_keys": {"one": [KEY]}})
    peer = Moody([429, 200], {"retry-after": "0"})

    async def story() -> None:
        routing = {"retries": 1, "longest_retry_seconds": 1.0}
        async with router_over(keyed, {"one": peer}, routing, one={"auth": Auth()}) as router:
            pool = router.service.serving.pool
            lease = pool.choose("one")
            assert lease is not None
            lease.answered(429, [], 0.2)
            answer = await router.chat("one/echo")
            assert (answer.status_code, len(peer.keys)) == (200, 2)

    asyncio.run(story())
