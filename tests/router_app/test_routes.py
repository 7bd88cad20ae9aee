"""Routing rules through the API: they count at once, beside those of the configuration."""

import asyncio
from typing import Any

import pytest

from modelscan.settings import Settings
from tests.router_app.peers import Scripted
from tests.router_app.routers import Router, a_spec, routed, routed_to_reference

QUICK = {"match": "quick", "targets": ["acme/echo"]}


def configured(settings: Settings, *rules: dict[str, Any]) -> Settings:
    return Settings.model_validate({**settings.model_dump(), "routing": {"rules": rules}})


async def listed(router: Router) -> list[tuple[str, str, str]]:
    rules = (await router.admin("GET", "/routes")).json()
    return [(rule["match"], rule["targets"][0]["model"], rule["origin"]) for rule in rules]


def test_a_rule_counts_at_once_and_is_gone_at_once(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            assert (await router.chat("quick")).status_code == 404
            saved = await router.admin("PUT", "/routes", json=QUICK)
            assert (saved.status_code, saved.json()["origin"], saved.json()["balance"]) == (200, "api", "in_order")
            answer = await router.chat("quick")
            assert (answer.status_code, answer.headers["x-modelscan-model"]) == (200, "echo")
            assert router.usage()[-1]["asked_model"] == "quick"
            assert await listed(router) == [("quick", "acme/echo", "api")]
            removed = await router.admin("DELETE", "/routes", params={"match": "quick"})
            assert removed.json()["match"] == "quick"
            assert (await router.chat("quick")).status_code == 404
            again = await router.admin("DELETE", "/routes", params={"match": "quick"})
            assert (again.status_code, again.json()["code"]) == (404, "rule-not-found")

    asyncio.run(story())


def test_rules_of_the_configuration_count_and_give_way_to_one_that_was_set(settings: Settings) -> None:
    rules: list[dict[str, Any]] = [
        {"match": "quick", "targets": ["gone/model"]},
        {"match": "gpt-*", "targets": "acme/*"},
    ]

    async def story() -> None:
        async with routed_to_reference(configured(settings, *rules)) as router:
            assert (await router.chat("gpt-echo")).status_code == 200
            assert "gone/model" in (await router.chat("quick")).text
            await router.admin("PUT", "/routes", json=QUICK)
            assert await listed(router) == [("quick", "acme/echo", "api"), ("gpt-*", "acme/*", "config")]
            assert (await router.chat("quick")).status_code == 200
            await router.admin("DELETE", "/routes", params={"match": "quick"})
            assert await listed(router) == [("quick", "gone/model", "config"), ("gpt-*", "acme/*", "config")]

    asyncio.run(story())


def test_a_reload_reads_the_configurations_rules_again_and_a_restart_keeps_those_that_were_set(
    settings: Settings,
) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.admin("PUT", "/routes", json=QUICK)
            router.service._reread = lambda: configured(settings, {"match": "new", "targets": "acme/echo"})
            assert (await router.chat("new")).status_code == 404
            await router.admin("POST", "/reload")
            assert (await router.chat("new")).status_code == 200
        async with routed(settings) as router:
            assert await listed(router) == [("quick", "acme/echo", "api")]

    asyncio.run(story())


def test_a_rule_may_be_for_some_clients_alone(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.admin("PUT", "/routes", json={**QUICK, "client": "team-*"})
            body = {"model": "quick", "messages": [{"role": "user", "content": "hi"}]}
            statuses = [
                (await router.http.post("/v1/chat/completions", json=body, headers=headers)).status_code
                for headers in ({}, {"x-modelscan-client": "team-1"}, {"x-modelscan-client": "boss"})
            ]
            assert statuses == [404, 200, 404]
            removed = await router.admin("DELETE", "/routes", params={"match": "quick", "client": "team-*"})
            assert removed.status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"match": "x", "targets": []}, "targets"),
        ({"match": "x", "targets": 5}, "targets"),
        ({"match": "x y", "targets": ["acme/echo"]}, "match"),
        ({"match": "x", "targets": [{"model": "acme/echo", "weight": 0}]}, "targets.0.weight"),
        ({"match": "x", "targets": ["acme/echo"], "balance": "best"}, "balance"),
        ({"match": "x", "targets": ["acme/echo"], "more": 1}, "more"),
    ],
)
def test_a_rule_that_is_none_is_refused_by_field(settings: Settings, body: Any, field: str) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            answer = await router.admin("PUT", "/routes", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)

    asyncio.run(story())


def test_explain_shows_who_would_be_asked_and_how_each_does(settings: Settings) -> None:
    rule = {"match": "all", "targets": ["acme/echo", "down/echo", "gone/echo"], "fallbacks": ["quiet/echo"]}

    async def story() -> None:
        peers = {"acme": Scripted([b"{}"]), "down": Scripted([b"{}"], 503), "quiet": Scripted([b"{}"])}
        async with routed(
            configured(settings, rule),
            peers=peers,
            specs=lambda origins: [a_spec(f"{origins[name]}/v1", name) for name in peers],
        ) as router:
            for _ in range(2):
                await router.chat("down/echo")
            await router.chat("all")
            told = (await router.admin("GET", "/routes/explain", params={"model": "all"})).json()
            assert (told["rule"]["match"], told["missing"]) == ("all", ["gone/echo"])
            seen = {one["model"]: one for one in told["candidates"]}
            assert list(seen) == ["acme/echo", "down/echo", "quiet/echo"]
            assert [one["role"] for one in seen.values()] == ["target", "target", "fallback"]
            assert [one["requests"] for one in seen.values()] == [1, 2, 0]
            assert seen["acme/echo"]["first_byte_ms"] > 0
            assert seen["quiet/echo"]["first_byte_ms"] is None
            assert seen["down/echo"]["circuit_open_seconds"] > 0
            own = (await router.admin("GET", "/routes/explain", params={"model": "acme/echo"})).json()
            assert (own["rule"], len(own["candidates"])) == (None, 1)
            nobody = await router.admin("GET", "/routes/explain")
            assert (nobody.status_code, nobody.json()["code"]) == (400, "invalid-input")

    asyncio.run(story())


def test_the_names_of_rules_are_listed_among_the_models(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(configured(settings, QUICK)) as router:
            cards = (await router.http.get("/v1/models")).json()["data"]
            assert [(card["id"], card["owned_by"]) for card in cards] == [("acme/echo", "acme"), ("quick", "modelscan")]
            assert (await router.http.get("/v1/models/quick")).json() == cards[1]
            assert (await router.http.get("/v1/models/acme/echo")).json() == cards[0]

    asyncio.run(story())
