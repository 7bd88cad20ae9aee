"""What the admin API tells of how providers are doing."""

import asyncio

from modelscan.settings import Settings
from tests.router_app.routers import Router, routed_to_reference


async def looked(router: Router) -> None:
    await router.chat("acme/echo")
    await router.service.monitor.look()


def test_a_look_is_shown_with_its_evidence_and_its_history(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            assert (await router.admin("GET", "/health/providers")).json() == []
            early = (await router.admin("GET", "/health/providers/acme")).json()
            assert early == {"provider": "acme", "state": "unknown", "since": None, "evidence": None}
            await looked(router)
            (shown,) = (await router.admin("GET", "/health/providers")).json()
            assert (shown["provider"], shown["state"]) == ("acme", "up")
            assert shown["evidence"]["words"].startswith("0 of 1 request failed in the last 5 min; first byte after ")
            assert (await router.admin("GET", "/health/providers/acme")).json() == shown
            (change,) = (await router.admin("GET", "/health/history?provider=acme")).json()
            assert (change["before"], change["after"], change["at"]) == ("unknown", "up", shown["since"])
            assert (await router.admin("GET", "/health/history?provider=bolt")).json() == []
            counts = {"unknown": 0, "up": 1, "degraded": 0, "down": 0}
            assert (await router.http.get("/health")).json()["providers"] == counts

    asyncio.run(story())


def test_a_provider_that_nobody_knows_is_not_found(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            refused = await router.admin("GET", "/health/providers/acne")
            assert (refused.status_code, refused.json()["nearest"]) == (404, ["acme"])

    asyncio.run(story())


def test_a_token_that_may_only_look_may_see_it(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            told = (await router.admin("POST", "/tokens", json={"name": "eye", "role": "read-only"})).json()
            answer = await router.http.get("/api/health/providers", headers={"x-api-key": told["token"]})
            assert answer.status_code == 200

    asyncio.run(story())
