"""Prices over the admin API, and what requests through a router cost by them."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from modelscan.settings import Settings
from tests.router_app.routers import Router, routed_to_reference


async def pinned(router: Router, **rates: str) -> None:
    """acme/echo costs that from now on."""
    for name, value in rates.items():
        body = {"kind": "pin", "subject": "acme/echo", "field": f"price.{name}", "value": value}
        assert (await router.admin("POST", "/decisions", json=body)).status_code == 201


async def reprice(router: Router, **asked: Any) -> dict[str, Any]:
    answer = await router.admin("POST", "/usage/reprice", json=asked)
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_request_costs_what_the_price_says_that_was_in_force(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.chat("acme/echo", "one two")
            await pinned(router, input_mtok="1", output_mtok="2")
            await router.chat("acme/echo", "one two")
            unknown, known = router.usage()
            assert (unknown["cost_usd"], unknown["price_id"]) == (None, None)
            assert Decimal(known["cost_usd"]) == Decimal("0.000006")
            (newest, *_) = (await router.admin("GET", "/prices?subject=acme/echo")).json()
            assert known["price_id"] == newest["id"]
            assert (await router.admin("GET", "/prices?subject=acme")).json() == [newest]
            assert (await router.admin("GET", "/prices")).json() == [newest]

    asyncio.run(story())


def test_a_decision_that_is_undone_ends_its_price_at_once(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await pinned(router, input_mtok="1", output_mtok="2")
            (first, _) = (await router.admin("GET", "/decisions")).json()
            await router.admin("DELETE", f"/decisions/{first['id']}")
            await router.chat("acme/echo")
            assert router.usage()[0]["cost_usd"] is None

    asyncio.run(story())


def test_what_is_refused_costs_nothing_and_a_stream_what_it_used(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await pinned(router, input_mtok="1", output_mtok="2")
            await router.chat("acme/nothing")
            await router.chat("acme/echo", stream=True)
            await router.chat("acme/echo", reference_fault="404")
            refused, stream, failed = router.usage()
            assert [Decimal(row["cost_usd"]) for row in (refused, failed)] == [0, 0]
            assert Decimal(stream["cost_usd"]) == Decimal("0.000003")

    asyncio.run(story())


def test_usage_is_priced_anew_by_the_api_with_what_waits_in_the_journal(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.chat("acme/echo", "one two")
            await pinned(router, input_mtok="1", output_mtok="2")
            shown = await reprice(router)
            assert (shown["rows"], shown["became_known"], shown["after_usd"]) == (1, 1, "0.000006")
            assert await reprice(router, provider="other", apply=True) | {"rows": 0} == await reprice(
                router, provider="other"
            )
            done = await reprice(router, provider="acme", prices="now", apply=True)
            assert done["audit"]
            (audit,) = (await router.admin("GET", "/usage/audits")).json()
            assert (audit["id"], audit["by"], audit["done"]) == (done["audit"], "api", done)
            assert (await reprice(router))["rows"] == 0

    asyncio.run(story())


@pytest.mark.parametrize("body", [{"since": "yesterday"}, {"prices": "tomorrow"}, {"apply": "perhaps"}, {"rows": 1}])
def test_a_body_that_says_something_else_is_refused(settings: Settings, body: dict[str, Any]) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            answer = await router.admin("POST", "/usage/reprice", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")

    asyncio.run(story())
