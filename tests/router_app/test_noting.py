"""A usage row of every request that reached the router, also of those that no model's endpoint answers."""

import asyncio
from typing import Any

import pytest

from modelscan.settings import Settings
from tests.router_app.routers import Router, eventually, routed_to_reference
from tests.router_app.test_token_routes import issued

PATHS = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "chat",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/audio/speech": "audio/speech",
}


def told(row: dict[str, Any]) -> tuple[object, ...]:
    return row["status"], row["error_code"], row["operation"], row["asked_model"]


def used_nothing(row: dict[str, Any]) -> bool:
    used = row["provider"], row["key_id"], row["prompt_tokens"], row["completion_tokens"], row["cost_usd"]
    return used == (None, None, 0, 0, "0")


ASKED = [
    ("GET", "/v1/models", (200, None, "models", "")),
    ("HEAD", "/v1/models/", (200, None, "models", "")),
    ("GET", "/v1/models/acme/echo", (200, None, "models", "acme/echo")),
    ("GET", "/v1/models/nobody", (404, "model-not-found", "models", "nobody")),
    ("GET", "/v1/models/sk-0123456789abcdefghijklmnop", (404, "model-not-found", "models", "[redacted]")),
    ("POST", "/v1/models", (405, "unknown_url", "models", "")),
    ("GET", "/v1/chat/completions", (405, "unknown_url", "chat", "")),
    ("POST", "/v1/files", (404, "unknown_url", "unknown", "")),
    ("POST", "/chat/completions", (404, "unknown_url", "unknown", "")),
]


def test_one_that_no_model_answers_has_its_row_by_the_id_of_its_answer(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            for number, (method, path, expected) in enumerate(ASKED):
                answer = await router.http.request(method, path, headers={"x-modelscan-client": "batch"})
                row = router.usage()[number]
                assert (told(row), row["client"]) == (expected, "batch")
                assert (row["request_id"], row["status"]) == (answer.headers["x-request-id"], answer.status_code)
                assert used_nothing(row)
            assert len(router.usage()) == len(ASKED)

    asyncio.run(story())


def test_what_is_for_operators_or_the_demo_is_no_usage(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            for path in ("/health", "/", "/api/keys", "/api/nothing", "/reference/v1/models"):
                await router.http.get(path)
            assert router.usage() == []

    asyncio.run(story())


def test_who_may_not_see_the_models_has_a_row_and_who_may_is_named_in_it(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            texts = {role: await issued(router, role, role=role) for role in ("client", "read-only")}
            ids = {one["name"]: one["id"] for one in (await router.admin("GET", "/tokens")).json()}
            for text in (texts["client"], texts["read-only"], "msk-unknown"):
                await router.http.get("/v1/models", headers={"authorization": f"Bearer {text}"})
            await router.http.get("/v1/models", headers={"host": "evil.example"})
            rows = [(row["status"], row["error_code"], row["token_id"]) for row in router.usage()]
            assert rows == [
                (200, None, ids["client"]),
                (403, "forbidden", None),
                (401, "unauthorized", None),
                (401, "unauthorized", None),
            ]

    asyncio.run(story())


def test_a_foreign_name_that_is_refused_has_a_row(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.http.get("/v1/models", headers={"host": "evil.example"})
            assert [told(row)[:2] for row in router.usage()] == [(403, "foreign-host")]

    asyncio.run(story())


@pytest.mark.parametrize("state", ["restarting", "draining"])
def test_who_is_turned_away_at_the_gate_has_a_row(settings: Settings, state: Any) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.service.gate.close(state, 1)
            ids = [(await router.http.post(path, json={})).headers["x-request-id"] for path in PATHS]
            ids.append((await router.http.get("/v1/models")).headers["x-request-id"])
            rows = router.usage()
            refused = [(503, "service-unavailable", operation, "") for operation in (*PATHS.values(), "models")]
            assert [told(row) for row in rows] == refused
            assert [row["request_id"] for row in rows] == ids
            assert all(used_nothing(row) for row in rows)

    asyncio.run(story())


def test_who_is_turned_away_after_the_journal_was_closed_has_a_row(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.service.gate.close("draining", 1)
            await router.service.close()
            assert (await router.chat("acme/echo")).status_code == 503
            assert [told(row)[:2] for row in router.usage()] == [(503, "service-unavailable")]

    asyncio.run(story())


def test_who_leaves_before_the_models_are_there_has_a_row(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            router.service.serving.routing_now = None
            router.service.serving._loaded.clear()
            asking = asyncio.create_task(router.http.get("/v1/models"))
            await eventually(lambda: router.service.gate.running)
            router.service.gate.cancel_all()
            await asyncio.gather(asking, return_exceptions=True)
            assert [(row["status"], row["cancelled"]) for row in router.usage()] == [(499, True)]

    asyncio.run(story())


def test_what_the_model_list_costs_no_token_is_charged_for(settings: Settings) -> None:
    async def story(router: Router) -> list[int]:
        text = await issued(router, "app", terms={"rpm": 5, "daily_tokens": 100})
        for _ in range(9):
            answer = await router.http.get("/v1/models", headers={"authorization": f"Bearer {text}"})
            assert answer.status_code == 200
        await router.service.flush()
        await router.admin("PUT", "/tokens/app", json={"rpm": 6, "daily_tokens": 101})
        return [limit["used"] for limit in (await router.admin("GET", "/tokens/app")).json()["limits"]]

    async def told() -> list[int]:
        async with routed_to_reference(settings) as router:
            return await story(router)

    assert asyncio.run(told()) == [0, 0]
