"""The admin API's tokens, and what each role opens of it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from modelscan.settings import Settings
from tests.places import settings_in
from tests.router_app.routers import Lasting, Router, lasting, routed_to_reference


async def issued(router: Router, name: str, **more: Any) -> str:
    """A new token's text."""
    answer = await router.admin("POST", "/tokens", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    text: str = answer.json()["token"]
    return text


def test_a_token_is_issued_shown_limited_rotated_revoked_and_forgotten(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            text = await issued(router, "app", terms={"rpm": 5, "monthly_usd": "20"})
            shown = await router.admin("GET", "/tokens/app")
            assert text not in shown.text
            assert (shown.json()["state"], shown.json()["prefix"]) == ("active", text[:8])
            assert [(one["limit"], one["most"], one["used"]) for one in shown.json()["limits"]] == [
                ("rpm", 5, 0),
                ("monthly_usd", "20", "0"),
            ]
            changed = await router.admin("PUT", "/tokens/app", json={"models": ["acme/*"]})
            assert (changed.json()["terms"]["models"], changed.json()["limits"]) == (["acme/*"], [])
            rotated = await router.admin("POST", "/tokens/app/rotate")
            assert rotated.json()["token"] != text
            assert rotated.headers["cache-control"] == "no-store"
            assert (await router.admin("POST", "/tokens/app/revoke")).json()["state"] == "revoked"
            assert [one["name"] for one in (await router.admin("GET", "/tokens")).json()] == ["app"]
            assert (await router.admin("DELETE", "/tokens/app")).json()["name"] == "app"
            assert (await router.admin("GET", "/tokens")).json() == []
            assert (await router.admin("GET", "/tokens/app")).json()["code"] == "token-not-found"

    asyncio.run(story())


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    with lasting(routed_to_reference(settings_in(tmp_path_factory.mktemp("router")))) as found:
        yield found


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "two words"},
        {"name": "app", "role": "root"},
        {"name": "app", "terms": {"rpm": 0}},
        {"name": "app", "terms": {"monthly_usd": "NaN"}},
        {"name": "app", "terms": {"unknown": 1}},
        {"name": "app", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "app", "expires_at": "2030-01-01T00:00:00"},
        {"name": "app", "role": "admin", "terms": {"rpm": 1}},
    ],
)
def test_what_is_no_token_is_refused(stand: Lasting, body: dict[str, Any]) -> None:
    refused = stand.run(stand.router.admin("POST", "/tokens", json=body))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-input")
    assert stand.run(stand.router.admin("GET", "/tokens")).json() == []


def test_each_role_opens_what_it_says(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            texts = {role: await issued(router, role, role=role) for role in ("client", "read-only", "admin")}

            async def asked(role: str, method: str, path: str) -> int:
                headers = {"authorization": f"Bearer {texts.get(role, role)}"}
                return (await router.http.request(method, path, headers=headers)).status_code

            assert [await asked(role, "GET", "/api/keys") for role in (*texts, "msk-unknown")] == [403, 200, 200, 401]
            assert [await asked(role, "POST", "/api/reload") for role in texts] == [403, 403, 200]
            assert [await asked(role, "GET", "/v1/models") for role in texts] == [200, 403, 403]
            await router.admin("POST", "/tokens/admin/revoke")
            assert await asked("admin", "GET", "/api/keys") == 401

    asyncio.run(story())


def test_tokens_outlive_a_restart_and_are_counted_from_the_rows(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            text = await issued(router, "app", terms={"monthly_tokens": 100_000})
            for _ in range(2):
                answer = await router.chat("acme/echo", "one two", token=text)
                assert answer.status_code == 200
            before = (await router.admin("GET", "/tokens/app")).json()["limits"]
        async with routed_to_reference(settings) as router:
            assert (await router.chat("acme/echo")).status_code == 401
            assert (await router.chat("acme/echo", token=text)).status_code == 200
            after = (await router.admin("GET", "/tokens/app")).json()["limits"]
        assert [limit["used"] for limit in before] == [8]
        assert [limit["used"] for limit in after] == [8 + 2]

    asyncio.run(story())


def test_a_limit_that_is_new_begins_with_what_was_used(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            text = await issued(router, "app")
            assert (await router.chat("acme/echo", "one two", token=text)).status_code == 200
            limited = await router.admin("PUT", "/tokens/app", json={"daily_tokens": 4})
            assert [limit["used"] for limit in limited.json()["limits"]] == [4]
            refused = await router.chat("acme/echo", token=text, max_tokens=1)
            assert (refused.status_code, refused.json()["error"]["type"]) == (402, "insufficient_quota")

    asyncio.run(story())


def test_with_another_master_key_nobody_comes_in_and_it_is_told(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings, environ={"MODELSCAN_MASTER_KEY": "one" * 20}) as router:
            await issued(router, "app")
        async with routed_to_reference(settings, environ={"MODELSCAN_MASTER_KEY": "two" * 20}) as router:
            refused = await router.chat("acme/echo")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service-unavailable")
            assert (await router.http.get("/health")).json()["parts"]["tokens"]["state"] == "down"
            assert (await router.admin("DELETE", "/tokens/app")).status_code == 200
            assert (await router.chat("acme/echo")).status_code == 200

    asyncio.run(story())
