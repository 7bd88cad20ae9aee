"""The dossier and the conflicts over the admin API."""

import asyncio

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
