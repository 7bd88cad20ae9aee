"""The dossier and the conflicts over the admin API."""

import asyncio

import pytest

from modelscan.catalog import records
from modelscan.settings import Settings
from modelscan.types import Fact, SourceRecord
from tests.router_app.routers import Router, routed


def tell(router: Router, source: str, price: str) -> None:
    """`source` gives acme/anvil a price."""
    url = f"https://{source}/list"
    record = SourceRecord.of(source=source, subject="acme", url=url, payload=price, trusted=True)
    fact = Fact(subject="acme/anvil", field="price.input_mtok", value=price, record=record.id, confidence=0.9)
    records.save(router.service.database, [record], [fact])


def test_a_dossier_holds_the_claims_and_what_is_unknown(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            await asyncio.to_thread(tell, router, "models.dev", "0.27")
            await asyncio.to_thread(tell, router, "genai-prices", "0.3")
            whole = (await router.admin("GET", "/providers/acme/dossier")).json()
            assert (whole["fields"], [one["model"] for one in whole["models"]]) == ([], ["anvil"])
            model = (await router.admin("GET", "/providers/acme/dossier?model=anvil")).json()
            (field,) = model["fields"]
            assert field["chosen"]["url"] == "https://models.dev/list"
            assert [claim["value"] for claim in field["differ"]] == ["0.3"]
            assert "price.output_mtok" in model["unknown"]
            for conflicts in ("/conflicts", "/conflicts?provider=acme"):
                assert (await router.admin("GET", conflicts)).json() == [field]
            assert (await router.admin("GET", "/conflicts?provider=other")).json() == []

    asyncio.run(story())


def test_of_what_is_not_known_there_is_no_dossier(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            for path in ("/providers/nobody/dossier", "/providers/acme/dossier?model=anvil"):
                answer = await router.admin("GET", path)
                assert (answer.status_code, answer.json()["code"]) == (404, "provider-not-found")

    asyncio.run(story())


def test_a_decision_is_made_listed_and_undone(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            for source, price in (("models.dev", "0.27"), ("genai-prices", "0.3")):
                await asyncio.to_thread(tell, router, source, price)
            body = {"kind": "pin", "subject": "acme/anvil", "field": "price.input_mtok", "value": 0.25}
            answer = await router.admin("POST", "/decisions", json=body)
            made = answer.json()
            assert (answer.status_code, made["value"]) == (201, "0.25")
            assert (await router.admin("GET", "/decisions")).json() == [made]
            assert (await router.admin("GET", "/decisions?provider=other")).json() == []
            assert (await router.admin("GET", "/conflicts")).json() == []
            (shown,) = (await router.admin("GET", "/conflicts?all=true")).json()
            assert (shown["settled"], shown["chosen"]["source"]) == ("pinned", "pin")
            assert (await router.admin("DELETE", f"/decisions/{made['id']}")).json() == made
            assert (await router.admin("DELETE", f"/decisions/{made['id']}")).status_code == 404
            assert len((await router.admin("GET", "/conflicts")).json()) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "pin"},
        {"kind": "pin", "source": "models.dev"},
        {"kind": "reject"},
        {"kind": "reject", "source": "models.dev", "value": "1"},
        {"kind": "accept", "value": "1"},
        {"kind": "ignore"},
        {"kind": "pin", "value": "-1"},
    ],
)
def test_a_decision_that_says_too_little_or_too_much_is_refused(settings: Settings, body: dict[str, str]) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            await asyncio.to_thread(tell, router, "models.dev", "0.27")
            asked = {"subject": "acme/anvil", "field": "price.input_mtok", **body}
            answer = await router.admin("POST", "/decisions", json=asked)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
            assert (await router.admin("GET", "/decisions")).json() == []

    asyncio.run(story())
