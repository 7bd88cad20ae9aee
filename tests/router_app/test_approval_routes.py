"""Approving and refusing over the admin API."""

import asyncio

import pytest

from modelscan.catalog import discoveries
from modelscan.settings import Settings
from modelscan.types import Change, Discovery, DiscoveryState, utc_now
from tests.router_app.routers import Router, routed

CHANGE = Change(field="base_url", before="none", after="https://api.acme.example/v1")


async def wait(router: Router, name: str = "d1") -> None:
    """A discovery that waits for approval."""
    held = Discovery(
        id=name, identifier="acme", created_at=utc_now(), state=DiscoveryState.WAITING, changes=(CHANGE,), digest="0"
    )
    await asyncio.to_thread(discoveries.create, router.service.database, held)


def test_what_waits_is_shown_with_its_changes_and_is_not_waited_for(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            await wait(router)
            shown = (await router.admin("GET", "/discoveries/d1?wait=60")).json()
            assert (shown["state"], shown["changes"]) == ("waiting", [CHANGE.model_dump()])

    asyncio.run(story())


@pytest.mark.parametrize("more", [{}, {"json": {"reason": "fine"}}])
def test_what_is_approved_is_queued_once(settings: Settings, more: dict[str, object]) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            await wait(router)
            answer = await router.admin("POST", "/discoveries/d1/approve", **more)
            assert (answer.status_code, answer.json()["state"]) == (202, "queued")
            assert answer.json()["verdict"]["reason"] == ("fine" if more else "")
            assert answer.json()["verdict"]["actor"] == "admin token"
            assert len(router.notified) == 1
            late = await router.admin("POST", "/discoveries/d1/refuse")
            assert (late.status_code, late.json()["code"]) == (409, "not-waiting")

    asyncio.run(story())


def test_what_is_refused_ends_with_the_reason(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            await wait(router)
            answer = await router.admin("POST", "/discoveries/d1/refuse", json={"reason": "too dear"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (200, "candidate-refused")
            assert "too dear" in answer.json()["error"]["message"]
            gone = await router.admin("POST", "/discoveries/gone/approve")
            assert gone.status_code == 404
            assert (await router.admin("POST", "/discoveries/d1/approve", json={"x": 1})).status_code == 400

    asyncio.run(story())
