"""How providers are doing is looked at beside the requests: by these, else by calls that cost nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.catalog import health
from modelscan.clients.registry import Registry
from modelscan.errors import CatalogBusy
from modelscan.health.traffic import SLICES
from modelscan.settings import HealthSettings, RoutingRule, RoutingSettings, Settings
from modelscan.types import Auth, HealthChange, HealthState, utc_now
from modelscan.validation.probe import probe as real
from router_app.monitor import Monitor, sentence
from tests.router_app.ailing import Ailing
from tests.router_app.peers import Endless
from tests.router_app.routers import KEY, Router, a_spec, eventually, routed

ALWAYS_DUE = HealthSettings(probe_seconds=1e-6)
CHAT = {"model": "all", "messages": [{"role": "user", "content": "hi"}]}
Story = Callable[[Router], Coroutine[Any, Any, None]]


@asynccontextmanager
async def watched(
    settings: Settings, peers: Mapping[str, Any], section: HealthSettings = ALWAYS_DUE, **more: Any
) -> AsyncIterator[Router]:
    rules = [RoutingRule.model_validate({"match": "all", "targets": [f"{name}/echo" for name in peers]})]
    routing = RoutingSettings(rules=tuple(rules), retries=0, circuit_faults=0)
    changed = settings.model_copy(update={"health": section, "routing": routing})
    async with routed(
        changed,
        peers=peers,
        specs=lambda origins: [a_spec(f"{origin}/v1", name, **more) for name, origin in origins.items()],
    ) as router:
        yield router


def told(
    settings: Settings, peers: Mapping[str, Any], story: Story, section: HealthSettings = ALWAYS_DUE, **more: Any
) -> None:
    async def whole() -> None:
        async with watched(settings, peers, section, **more) as router:
            await story(router)

    asyncio.run(whole())


async def looked(router: Router, times: int = 1) -> dict[str, HealthState]:
    """So many looks with their calls, and the states after them."""
    for _ in range(times):
        await router.service.monitor.look()
        await router.service.monitor.called()
    await router.service.monitor.look()
    await router.service.monitor.called()
    return {one.provider: one.state for one in router.service.serving.board.standings()}


def test_who_is_asked_without_a_key_is_up_down_and_up_again(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    peer = Ailing()

    async def story(router: Router) -> None:
        assert (await looked(router))["acme"] == "up"
        peer.status = 503
        assert (await looked(router, 2))["acme"] == "down"
        assert (await router.http.get("/health")).json()["providers"]["down"] == 1
        peer.status = None
        assert (await looked(router, 2))["acme"] == "up"
        await router.service.monitor.look()
        found = health.history(router.service.database, "acme")
        assert [(one.before, one.after) for one in found] == [("down", "up"), ("up", "down"), ("unknown", "up")]
        assert router.usage() == []

    with caplog.at_level(logging.INFO):
        told(settings, {"acme": peer}, story)
    assert "acme is down: models without a key answered 503: " in caplog.text
    assert "acme is up again: models without a key answered 200 in " in caplog.text


def test_calls_carry_no_key_and_move_no_counter_of_one(settings: Settings) -> None:
    peer = Ailing(key=KEY)
    keyed = settings.model_copy(update={"api_keys": {"acme": (SecretStr(KEY),)}})

    async def story(router: Router) -> None:
        assert (await looked(router, 3))["acme"] == "up"  # Who refuses a stranger as expected is well.
        ((counter, _),) = router.service.serving.pool.in_order("acme")
        assert (counter.requests.used, counter.day.used, counter.refused) == (0, 0, 0)
        assert {authorization for _, authorization in peer.asked} == {None}
        assert {path for path, _ in peer.asked} == {"/v1/models", "/v1/chat/completions"}

    told(keyed, {"acme": peer}, story, auth=Auth(env=("ACME_API_KEY",)))


def test_who_cannot_be_reached_is_down_and_who_lacks_an_address_is_not_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_REGION", raising=False)

    async def story(router: Router) -> None:
        gone = a_spec("http://127.0.0.1:9/v1", "gone")
        refused = a_spec("http://127.0.0.1:9/v1", "refused", operator_host=False)
        lacking = a_spec("http://${ACME_REGION}.invalid/v1", "lacking")
        other = a_spec("http://127.0.0.1:9/v1", "other").model_copy(update={"test_model": "withdrawn"})
        empty = a_spec("http://127.0.0.1:9/v1", "empty").model_copy(update={"models": ()})
        registry = router.service.serving.current
        assert registry is not None
        specs = (gone, refused, lacking, other, empty)
        router.service.allowed_private.add("127.0.0.1:9")
        router.service.serving.swap(Registry.of(2, [registry.served["acme"]._replace(spec=one) for one in specs]))
        states = {"gone": "down", "refused": "down", "lacking": "unknown", "other": "down", "empty": "unknown"}
        assert await looked(router, 2) == states

    told(settings, {"acme": Ailing()}, story)


def test_requests_tell_first_and_the_choice_heeds_it(settings: Settings) -> None:
    peers = {"acme": Ailing(503), "bolt": Ailing()}

    async def chat(router: Router) -> Any:
        return await router.http.post("/v1/chat/completions", json=CHAT, headers={"x-modelscan-explain": "1"})

    async def story(router: Router) -> None:
        for _ in range(5):
            answer = await chat(router)
            assert answer.headers["x-modelscan-path"] == "acme no key 503; bolt no key 200"
        await router.service.monitor.look()
        shown = (await router.admin("GET", "/health/providers/acme")).json()
        assert shown["state"] == "down"
        assert shown["evidence"]["words"].startswith("5 of 5 requests failed in the last 5 min (503 x5)")
        assert (await chat(router)).headers["x-modelscan-path"] == "acme is down; bolt no key 200"
        explained = (await router.admin("GET", "/routes/explain?model=all")).json()["candidates"]
        assert [(one["model"], one["health"]) for one in explained] == [("bolt/echo", "up"), ("acme/echo", "down")]
        assert [path for path, _ in peers["acme"].asked] == ["/v1/chat/completions"] * 5
        assert (await router.chat("acme/echo")).status_code == 503  # A single one is asked all the same.

    told(settings, peers, story, HealthSettings())


def test_an_answer_that_breaks_off_is_a_fault(settings: Settings) -> None:
    async def story(router: Router) -> None:
        for _ in range(5):
            await router.chat("acme/echo", stream=True, reference_fault="cut")
        await router.service.monitor.look()
        (shown,) = (await router.admin("GET", "/health/providers")).json()
        assert (shown["state"], shown["evidence"]["faults"]) == ("degraded", {"broke-off": 5})
        assert shown["evidence"]["requests"] == 5

    told(settings, {"acme": Ailing()}, story, HealthSettings())


def test_slices_end_by_the_clock(settings: Settings) -> None:
    async def story(router: Router) -> None:
        at = [0.0]
        service = router.service
        monitor = Monitor(service.serving, service.database, (), clock=lambda: at[0])
        service.serving.traffic.answered("acme", 200, 0.1)
        for _ in range(SLICES):
            assert service.serving.traffic.window("acme").requests == 1
            at[0] += 30
            await monitor.look()
        assert service.serving.traffic.window("acme").requests == 0
        await monitor.close()

    told(settings, {"acme": Ailing()}, story, HealthSettings(probe_seconds=0))


def test_a_restart_knows_what_was_known(settings: Settings) -> None:
    async def story(router: Router) -> None:
        since = utc_now()
        health.record(router.service.database, (HealthChange(provider="acme", before="up", after="down", at=since),))
        await router.service.monitor.remember()
        await router.service.monitor.look()
        found = router.service.serving.board.standing("acme")
        assert found is not None
        assert (found.state, found.since) == ("down", since)

    told(settings, {"acme": Ailing()}, story, HealthSettings())


def test_what_cannot_be_stored_is_stored_later(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise CatalogBusy("busy")

    async def story(router: Router) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(health, "record", busy)
            patched.setattr(health, "latest", busy)
            await router.service.monitor.remember()
            assert (await looked(router))["acme"] == "up"
            await router.service.monitor.look()
        assert health.history(router.service.database) == ()
        await router.service.monitor.look()
        assert [one.after for one in health.history(router.service.database)] == ["up"]

    told(settings, {"acme": Ailing()}, story)


def test_one_that_never_answers_holds_up_nobody_and_is_let_go_at_the_end(settings: Settings) -> None:
    silent = Endless(silent=True)

    async def story(router: Router) -> None:
        await router.service.monitor.look()
        await silent.began.wait()
        assert (await router.chat("bolt/echo")).status_code == 200
        await router.service.monitor.close()
        await silent.left.wait()

    told(settings, {"acme": silent, "bolt": Ailing()}, story)


def test_a_fault_of_ours_ends_neither_the_call_of_another_nor_the_looks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]

    async def probe(spec: Any, *more: Any, **named: Any) -> Any:
        if spec.provider == "acme" and broken[0]:
            raise ZeroDivisionError
        return await real(spec, *more, **named)

    async def story(router: Router) -> None:
        monitor = Monitor(
            router.service.serving,
            router.service.database,
            router.service.allowed_private,
            probe=probe,
            look_seconds=0.01,
        )
        with monkeypatch.context() as patched:
            patched.setattr(router.service.serving.traffic, "window", lambda _: 1 / 0)
            running = asyncio.create_task(monitor.run())
            await eventually(lambda: "could not be looked at" in caplog.text)
        board = router.service.serving.board
        await eventually(lambda: board.counts()["up"] == 1)
        broken[0] = False
        await eventually(lambda: board.counts()["up"] == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await monitor.close()

    told(settings, {"acme": Ailing(), "bolt": Ailing()}, story)
    assert "acme could not be asked how it is doing: ZeroDivisionError" in caplog.text


def test_nothing_is_looked_at_before_there_is_a_registry(settings: Settings) -> None:
    async def story(router: Router) -> None:
        router.service.serving._registry = None
        await router.service.monitor.look()
        assert router.service.serving.board.standings() == ()

    told(settings, {"acme": Ailing()}, story)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("unknown", "up", "acme is up: nothing was seen of it for long."),
        ("down", "up", "acme is up again: nothing was seen of it for long."),
        ("down", "unknown", "acme is unknown: nothing was seen of it for long."),
    ],
)
def test_a_change_is_told_in_a_sentence(before: HealthState, after: HealthState, said: str) -> None:
    assert sentence(HealthChange(provider="acme", before=before, after=after, at=utc_now())) == said
