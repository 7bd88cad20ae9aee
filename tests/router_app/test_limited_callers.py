"""What callers with tokens meet, as OpenAI's and Anthropic's own clients see it; nothing leaks on any way out."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import openai
import orjson
import pytest
from anthropic.types import MessageParam
from openai.types.chat import ChatCompletionUserMessageParam

from modelscan.reference import create_reference
from modelscan.settings import RoutingRule, Settings
from modelscan.tokens.account import Account
from modelscan.types import PriceVersion, Tariff, utc_now
from modelscan.usage.prices import PriceBook
from router_app.app import create_app
from router_app.gate import Gate
from router_app.service import Service
from tests.router_app.peers import Endless, Scripted
from tests.router_app.routers import Router, a_spec, chat_body, eventually, routed, routed_to_reference

HI: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "hi"}]
HELLO: list[MessageParam] = [{"role": "user", "content": "hi"}]


@dataclass
class Callers:
    """OpenAI's and Anthropic's clients with one token."""

    openai: openai.AsyncOpenAI
    claude: anthropic.AsyncAnthropic
    text: str
    account: Account

    async def chat(self, model: str = "acme/echo", **more: Any) -> Any:
        return await self.openai.chat.completions.create(model=model, messages=HI, **more)

    async def message(self, model: str = "acme/echo", max_tokens: int = 8) -> Any:
        return await self.claude.messages.create(model=model, messages=HELLO, max_tokens=max_tokens)

    def used(self) -> dict[str, tuple[Any, Any]]:
        return {one.limit: (one.used, one.held) for one in self.account.uses(utc_now().timestamp())}


@asynccontextmanager
async def callers(router: Router, **terms: Any) -> AsyncIterator[Callers]:
    """With a new token of these terms."""
    issued = await router.admin("POST", "/tokens", json={"name": "app", "terms": terms})
    assert issued.status_code == 201, issued.text
    text = issued.json()["token"]
    account = router.service.serving.door.book.of(issued.json()["id"])
    assert account is not None
    async with (
        openai.AsyncOpenAI(base_url=f"{router.url}/v1", api_key=text, max_retries=0) as client,
        anthropic.AsyncAnthropic(base_url=router.url, api_key=text, max_retries=0) as claude,
    ):
        yield Callers(client, claude, text, account)


def priced(**providers: str) -> PriceBook:
    """Of each provider's `echo` a million tokens cost so many dollars."""
    tariffs = {one: Tariff(input_mtok=Decimal(usd), output_mtok=Decimal(usd)) for one, usd in providers.items()}
    return PriceBook(PriceVersion.of(one, "echo", utc_now(), tariff, {}) for one, tariff in tariffs.items())


def test_with_a_token_both_clients_work_and_their_rows_name_it(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router) as app:
            assert (await app.chat()).choices[0].message.content == "hi"
            assert (await app.message()).content[0].text == "hi"
            assert [model.id async for model in app.openai.models.list()] == ["acme/echo"]
            assert [row["token_id"] for row in router.usage()] == [app.account.token.id] * 3
            assert app.account.running == 0

    asyncio.run(story())


def test_without_one_both_clients_see_their_own_401_and_the_row_is_there(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router) as app:
            app.openai.api_key = "any"
            app.claude.api_key = "any"
            with pytest.raises(openai.AuthenticationError, match="The token is not known here"):
                await app.chat()
            with pytest.raises(anthropic.AuthenticationError, match="The token is not known here"):
                await app.message()
            with pytest.raises(openai.AuthenticationError):
                await app.openai.models.retrieve("acme/echo")
            with pytest.raises(openai.AuthenticationError):
                await app.openai.embeddings.create(model="acme/echo", input="x")
            with pytest.raises(anthropic.AuthenticationError):
                await app.claude.messages.count_tokens(model="acme/echo", messages=HELLO)
            rows = router.usage()
            assert {(row["status"], row["error_code"], row["token_id"]) for row in rows} == {
                (401, "unauthorized", None)
            }

    asyncio.run(story())


def test_a_model_that_is_not_allowed_is_403_and_is_not_listed(settings: Settings) -> None:
    async def story() -> None:
        peers = {name: create_reference(models=("echo",)) for name in ("acme", "other")}
        specs = lambda origins: [a_spec(f"{origins[name]}/v1", name) for name in peers]  # noqa: E731
        async with routed(settings, peers=peers, specs=specs) as router, callers(router, models=["acme/*"]) as app:
            assert (await app.chat("acme/echo")).model == "echo"
            with pytest.raises(openai.PermissionDeniedError, match=r"may use the models acme/\*") as refused:
                await app.chat("other/echo")
            assert refused.value.code == "model-not-allowed"
            with pytest.raises(anthropic.PermissionDeniedError, match=r"may use the models acme/\*"):
                await app.message("other/echo")
            assert [model.id async for model in app.openai.models.list()] == ["acme/echo"]
            with pytest.raises(openai.PermissionDeniedError):
                await app.openai.models.retrieve("other/echo")
            with pytest.raises(openai.NotFoundError) as unknown:
                await app.chat("other/ecko")
            assert "other/echo" not in str(unknown.value)

    asyncio.run(story())


def test_a_rules_name_may_be_allowed_and_leads_to_allowed_providers_alone(settings: Settings) -> None:
    async def story() -> None:
        peers = {name: create_reference(models=("echo",)) for name in ("acme", "other")}
        specs = lambda origins: [a_spec(f"{origins[name]}/v1", name) for name in peers]  # noqa: E731
        async with (
            routed(settings, peers=peers, specs=specs) as router,
            callers(router, models=["quick"], providers=["other"]) as app,
        ):
            for match, targets in (("quick", ["acme/echo", "other/echo"]), ("away", ["acme/no"])):
                await router.service.save_rule(RoutingRule.model_validate({"match": match, "targets": targets}))
            answer = await app.openai.chat.completions.with_raw_response.create(model="quick", messages=HI)
            assert answer.headers["x-modelscan-provider"] == "other"
            assert [model.id async for model in app.openai.models.list()] == ["quick"]
            with pytest.raises(openai.PermissionDeniedError, match="models quick of the providers other"):
                await app.chat("acme/echo")

    asyncio.run(story())


def test_too_many_requests_are_429_with_the_time_to_wait(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router, rpm=1) as app:
            await app.chat()
            with pytest.raises(openai.RateLimitError, match="1 request a minute: 1 request used") as refused:
                await app.chat()
            assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
            with pytest.raises(anthropic.RateLimitError, match="There is room again"):
                await app.message()
            assert [row["error_code"] for row in router.usage()] == [None, "token-limited", "token-limited"]

    asyncio.run(story())


def test_a_spent_budget_is_402_with_the_time_to_wait(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router, daily_tokens=400) as app:
            words: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "hi " * 60}]
            await app.openai.chat.completions.create(model="acme/echo", messages=words, max_tokens=60)
            assert app.used()["daily_tokens"] == (120, 0)
            with pytest.raises(openai.APIStatusError, match="may use 400 tokens a day: 120 tokens used") as refused:
                await app.chat(max_tokens=200)
            assert (refused.value.status_code, refused.value.code) == (402, "insufficient_quota")
            assert int(refused.value.response.headers["retry-after"]) > 0
            with pytest.raises(anthropic.APIStatusError) as also:
                await app.message(max_tokens=200)
            assert also.value.status_code == 402
            assert also.value.response.json()["error"]["type"] == "billing_error"

    asyncio.run(story())


@pytest.mark.parametrize(("letter", "status"), [("a", 200), ("\u4e2d", 402)])
def test_letters_that_come_to_more_tokens_hold_more_of_a_budget(settings: Settings, letter: str, status: int) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router, daily_tokens=700) as app:
            size = len(letter.encode())
            body = {
                "model": "acme/echo",
                "max_tokens": 1,
                "messages": [{"role": "user", "content": letter * (1200 // size)}],
            }
            headers = {"authorization": f"Bearer {app.text}", "content-type": "application/json"}
            sent = orjson.dumps(body)  # As it is, where other encoders write escapes.
            answer = await router.http.post("/v1/chat/completions", content=sent, headers=headers)
            assert answer.status_code == status

    asyncio.run(story())


def test_a_budget_in_dollars_is_charged_what_the_rows_say(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router, monthly_usd="0.01") as app:
            router.service.serving.prices = priced(acme="1")
            await app.chat(max_tokens=8)
            assert app.used()["monthly_usd"] == (Decimal("0.000002"), 0)
            with pytest.raises(openai.APIStatusError, match=r"\$0.01 a month.*more than there ever is") as refused:
                await app.chat(max_tokens=20_000)
            assert refused.value.status_code == 402
            assert app.account.running == 0

    asyncio.run(story())


@pytest.mark.parametrize("allowed", [False, True])
def test_a_model_without_a_price_is_no_way_past_a_budget(settings: Settings, allowed: bool) -> None:
    async def story() -> None:
        terms = {"monthly_usd": "1", "allow_unknown_price": allowed}
        async with routed_to_reference(settings) as router, callers(router, **terms) as app:
            if allowed:
                await app.chat()
            else:
                with pytest.raises(openai.PermissionDeniedError, match="The price of acme/echo is unknown") as refused:
                    await app.chat()
                assert refused.value.code == "price-unknown"
            assert app.used() == {"monthly_usd": (0, 0)}

    asyncio.run(story())


def test_a_fallback_is_held_at_its_own_price_and_left_out_without_one(settings: Settings) -> None:
    async def story() -> None:
        down = Scripted([b"{}"], status=500)
        peers: Mapping[str, Any] = {"acme": down, "dear": create_reference(models=("echo",)), "free": down}
        specs = lambda origins: [a_spec(f"{origins[name]}/v1", name) for name in peers]  # noqa: E731
        rule = {"match": "quick", "targets": ["acme/echo"], "fallbacks": ["free/echo", "dear/echo"]}
        async with routed(settings, peers=peers, specs=specs) as router, callers(router, daily_usd="1") as app:
            await router.service.save_rule(RoutingRule.model_validate(rule))
            router.service.serving.prices = priced(acme="1", dear="100")
            answer = await app.openai.chat.completions.with_raw_response.create(
                model="quick", messages=HI, max_tokens=8, extra_headers={"x-modelscan-explain": "1"}
            )
            assert answer.headers["x-modelscan-provider"] == "dear"
            told = answer.headers["x-modelscan-path"].split("; ")
            assert [one for one in told if "free" in one] == ["free/echo left out: its price is unknown"]
            assert app.used() == {"daily_usd": (Decimal("0.0002"), 0)}
            with pytest.raises(openai.APIStatusError, match="this request may use"):
                await app.chat("quick", max_tokens=11_000)

    asyncio.run(story())


def test_an_error_names_whom_the_budget_left_out_and_why(settings: Settings) -> None:
    async def story() -> None:
        down = Scripted([b"{}"], status=500)
        specs = lambda origins: [a_spec(f"{origins[name]}/v1", name) for name in ("acme", "free", "gift")]  # noqa: E731
        rule = {"match": "quick", "targets": ["acme/echo", "free/echo"], "fallbacks": ["gift/echo"]}
        peers = dict.fromkeys(("acme", "free", "gift"), down)
        async with routed(settings, peers=peers, specs=specs) as router, callers(router, daily_usd="1") as app:
            await router.service.save_rule(RoutingRule.model_validate(rule))
            router.service.serving.prices = priced(acme="1")
            with pytest.raises(openai.APIStatusError) as left:
                await app.chat("quick")
            why = "its price is unknown, and the token has a budget in dollars"
            assert f"acme/echo: answered with status 500; free/echo: {why}; gift/echo: {why}." in left.value.message
            router.service.serving.prices = PriceBook()
            named = "The prices of acme/echo, free/echo, gift/echo are unknown"
            with pytest.raises(openai.PermissionDeniedError, match=named):
                await app.chat("quick")

    asyncio.run(story())


@pytest.mark.parametrize("status", [400, 500])
def test_a_request_that_failed_gives_all_back(settings: Settings, status: int) -> None:
    async def story() -> None:
        peer = Scripted([b"{}"], status=status)
        async with (
            routed(settings, peers={"acme": peer}, specs=lambda origins: [a_spec(f"{origins['acme']}/v1")]) as router,
            callers(router, concurrency=1, daily_tokens=5_000) as app,
        ):
            for _ in range(2):
                with pytest.raises(openai.APIStatusError):
                    await app.chat()
            assert app.used() == {"concurrency": (0, 0), "daily_tokens": (0, 0)}

    asyncio.run(story())


def test_who_leaves_a_stream_gives_back_what_was_not_used(settings: Settings) -> None:
    async def story() -> None:
        peer = Endless()
        async with (
            routed(settings, peers={"acme": peer}, specs=lambda origins: [a_spec(f"{origins['acme']}/v1")]) as router,
            callers(router, concurrency=1, daily_tokens=5_000) as app,
        ):
            stream = await app.chat(stream=True, max_tokens=100)
            await peer.began.wait()
            used, held = app.used()["daily_tokens"]
            assert used == 0
            assert 228 < held < 300
            with pytest.raises(openai.RateLimitError, match="1 requests running at once"):
                await app.chat()
            await stream.close()
            await eventually(lambda: app.account.running == 0)
            (row,) = [row for row in router.usage() if row["cancelled"]]
            used = row["prompt_tokens"] + row["completion_tokens"]
            assert used > 20
            assert row["estimated"]
            assert app.used() == {"concurrency": (0, 0), "daily_tokens": (used, 0)}

    asyncio.run(story())


def test_embeddings_are_held_without_an_answer_and_a_count_of_tokens_costs_nothing(settings: Settings) -> None:
    async def story() -> None:
        peer = Scripted([b'{"object":"list","data":[],"usage":{"prompt_tokens":7,"total_tokens":7},"input_tokens":3}'])
        prompts_alone = PriceVersion.of("acme", "echo", utc_now(), Tariff(input_mtok=Decimal(1)), {})
        async with (
            routed(settings, peers={"acme": peer}, specs=lambda origins: [a_spec(f"{origins['acme']}/v1")]) as router,
            callers(router, daily_tokens=200, daily_usd="1") as app,
        ):
            router.service.serving.prices = PriceBook([prompts_alone])
            headers = {"x-api-key": app.text}
            answer = await router.http.post(
                "/v1/embeddings", json={"model": "acme/echo", "input": "x"}, headers=headers
            )
            assert answer.status_code == 200
            assert app.used() == {"daily_tokens": (7, 0), "daily_usd": (Decimal("0.000007"), 0)}
            long = chat_body("acme/echo", "x" * 4_000)
            counted = await router.http.post("/v1/messages/count_tokens", json=long, headers=headers)
            assert counted.json()["error"]["code"] == "wrong-endpoint"

    asyncio.run(story())


def test_a_burst_overruns_no_budget_and_leaves_nothing_held(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router, daily_tokens=300, rpm=35) as app:

            async def one(number: int) -> int:
                streams = number % 2 == 0
                answer = await router.chat("acme/echo", "one two 3 4", app.text, max_tokens=20, stream=streams)
                return answer.status_code

            statuses = await asyncio.gather(*(one(number) for number in range(40)))
            assert set(statuses) <= {200, 402, 429}
            granted = statuses.count(200)
            used, held = app.used()["daily_tokens"]
            assert 0 < granted <= 35
            assert (used, held) == (8 * granted, 0)
            assert used <= 300
            assert app.account.running == 0
            assert sum(row["status"] == 200 for row in router.usage()) == granted

    asyncio.run(story())


def test_requests_that_cannot_be_read_hold_nothing(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router, concurrency=1, rpm=9) as app:
            headers = {"x-api-key": app.text}
            for body in (b"{", b"{}", b'{"model": "nothing/here"}', b"[]"):
                answer = await router.http.post("/v1/chat/completions", content=body, headers=headers)
                assert answer.status_code in (400, 404)
            assert app.used() == {"concurrency": (0, 0), "rpm": (0, 0)}
            assert {row["token_id"] for row in router.usage()} == {app.account.token.id}

    asyncio.run(story())


def test_a_stranger_who_sends_much_is_turned_away_unread(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router):
            answer = await router.http.post("/v1/chat/completions", content=b"x" * 2**20)
            assert answer.status_code == 401

    asyncio.run(story())


def test_nobody_slips_in_before_the_tokens_are_read(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router, callers(router):
            pass
        service = Service(settings, {}, gate=Gate(), notify=lambda: None)
        transport = httpx2.ASGITransport(create_app(service, "token"))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(service.close)
            http = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://localhost"))
            asking = asyncio.create_task(http.post("/v1/chat/completions", json=chat_body("acme/echo")))
            await asyncio.sleep(0)
            await service.open()
            assert (await asking).status_code == 401

    asyncio.run(story())
