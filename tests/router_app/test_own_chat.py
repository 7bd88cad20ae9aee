"""A chat of our own is sent only under its cap, with a key that has room, and is marked as ours."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from modelscan.catalog import health
from modelscan.clients.registry import Registry
from modelscan.settings import HealthSettings, Settings
from modelscan.types import Auth, CaseResult, utc_now
from modelscan.usage.prices import PriceBook
from router_app.own_chat import own_chat
from tests.router_app.ailing import Ailing
from tests.router_app.routers import KEY, Router, a_spec, routed
from tests.usage.pricing import version

CAP = Decimal("0.01")
AT = utc_now()
WITH_KEY = Auth(env=("ACME_API_KEY",))
Story = Callable[[Router], Coroutine[Any, Any, None]]


def told(settings: Settings, peer: Any, story: Story, *, auth: Auth = WITH_KEY, keys: tuple[str, ...] = (KEY,)) -> None:
    """What becomes of `story`, with a price for the model: a dollar for a million tokens in, two for as many out."""
    changed = settings.model_copy(update={"api_keys": {"acme": tuple(map(SecretStr, keys))}})

    async def whole() -> None:
        async with routed(
            changed,
            peers={"acme": peer},
            specs=lambda origins: [a_spec(f"{origins['acme']}/v1", auth=auth)],
        ) as router:
            router.service.serving.prices = PriceBook([version(model="echo", input_mtok="1", output_mtok="2")])
            await story(router)

    asyncio.run(whole())


async def chat(router: Router, cap: Decimal = CAP) -> CaseResult | None:
    serving = router.service.serving
    assert serving.current is not None
    return await own_chat(serving, router.service.database, serving.current.resolve("acme/echo"), cap=cap, at=AT)


def test_it_is_a_row_of_nobodys_and_counts_on_its_key(settings: Settings) -> None:
    peer = Ailing(key=KEY)

    async def story(router: Router) -> None:
        found = await chat(router)
        assert found is not None
        assert (found.outcome, found.status) == ("passed", 200)
        (row,) = router.usage()
        assert (row["operation"], row["client"], row["token_id"]) == ("health", None, None)
        assert (row["prompt_tokens"], row["completion_tokens"], Decimal(row["cost_usd"])) == (1, 1, Decimal("0.000003"))
        assert row["request_id"].startswith("health_")
        ((counter, _),) = router.service.serving.pool.in_order("acme")
        assert (counter.requests.used, counter.tokens.used, row["key_id"]) == (1, 2, counter.usable.key.id)
        assert health.spent_since(router.service.database, AT - timedelta(1)) == Decimal("0.000003")
        await router.service.flush()
        stats = (await router.admin("GET", "/stats?by=operation")).json()
        assert [(one["operation"], one["requests"]) for one in stats] == [("health", 1)]
        assert peer.asked == [("/v1/chat/completions", f"Bearer {KEY}".encode())]

    told(settings, peer, story)


def test_nothing_is_sent_beyond_the_cap_or_without_a_price(settings: Settings) -> None:
    peer = Ailing()

    async def story(router: Router) -> None:
        assert await chat(router, Decimal("0.00001")) is None  # It may cost more than that at most.
        router.service.serving.prices = PriceBook()
        assert await chat(router) is None
        assert peer.asked == []
        assert router.usage() == []

    told(settings, peer, story)


def test_nothing_is_sent_or_spent_where_no_key_has_room(settings: Settings) -> None:
    peer = Ailing(key=KEY)

    async def story(router: Router) -> None:
        assert await chat(router) is None
        assert peer.asked == []
        assert health.spent_since(router.service.database, AT - timedelta(1)) == 0

    told(settings, peer, story, keys=())


@pytest.mark.parametrize(("status", "outcome"), [(503, "skipped"), (500, "skipped"), (401, "passed"), (429, "passed")])
def test_only_a_fault_of_the_providers_counts_against_it(settings: Settings, status: int, outcome: str) -> None:
    async def story(router: Router) -> None:
        found = await chat(router)
        assert found is not None
        assert (found.outcome, found.status) == (outcome, status)
        (row,) = router.usage()
        assert (row["status"], row["cost_usd"], row["prompt_tokens"]) == (status, "0", None)
        ((counter, waiting),) = router.service.serving.pool.in_order("acme")
        assert (waiting.seconds > 0) == (status in (401, 429))  # The pool learns from it as from any request.
        assert counter.requests.used == (status >= 500)

    told(settings, Ailing(status), story)


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"x" * (2**20 + 1), media_type="application/json")(scope, receive, send)


@pytest.mark.parametrize("peer", [endless, None], ids=["too much", "nobody there"])
def test_what_is_no_answer_is_told_and_what_it_may_have_cost_is_kept(settings: Settings, peer: Any) -> None:
    async def story(router: Router) -> None:
        serving = router.service.serving
        if peer is None:
            assert serving.current is not None
            router.service.allowed_private.add("127.0.0.1:9")
            gone = serving.current.served["acme"]._replace(spec=a_spec("http://127.0.0.1:9/v1"))
            serving.swap(Registry.of(2, [gone]))
        found = await chat(router)
        assert found is not None
        assert (found.outcome, found.status) == ("skipped", None)
        (row,) = router.usage()
        assert (row["status"], row["error_code"], row["key_id"]) == (502, "upstream-failed", None)

    told(settings, peer or Ailing(), story, auth=Auth(kind="none"))


def test_a_host_that_is_refused_is_not_sent_anything(settings: Settings) -> None:
    async def story(router: Router) -> None:
        serving = router.service.serving
        assert serving.current is not None
        inside = serving.current.served["acme"]._replace(spec=a_spec("http://127.0.0.1:9/v1", operator_host=False))
        serving.swap(Registry.of(2, [inside]))
        found = await chat(router)
        assert found is not None
        assert "no public address" in found.detail
        (row,) = router.usage()
        assert row["error_code"] == "host-refused"

    told(settings, Ailing(), story, auth=Auth(kind="none"))


def test_the_monitor_sends_one_where_it_is_due_and_the_free_calls_passed(settings: Settings) -> None:
    peer = Ailing(key=KEY)
    section = HealthSettings(probe_seconds=1e-6, chat_seconds=1e-6, max_cost_usd_per_day=CAP)

    async def story(router: Router) -> None:
        monitor, board = router.service.monitor, router.service.serving.board
        for _ in range(2):
            await monitor.look()
            await monitor.called()
        assert [row["operation"] for row in router.usage()] == ["health"] * 2
        (shown,) = board.standings()
        assert (shown.state, shown.evidence and shown.evidence.source) == ("up", "chat")
        router.service.serving.prices = PriceBook()
        await monitor.look()
        await monitor.called()
        assert len(router.usage()) == 2

    told(settings.model_copy(update={"health": section}), peer, story)
