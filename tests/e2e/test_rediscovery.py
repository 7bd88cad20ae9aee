"""A person has every provider looked at again: through the command, the router, Prefect and the runner."""

import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import KEY
from tests.e2e.service import Service

pytestmark = pytest.mark.prefect


def refreshed(service: Service, *options: str) -> Any:
    done = service.cli("refresh", *options, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_every_provider_is_looked_at_and_what_could_not_be_asked_is_told(service: Service) -> None:
    service.wait_until_warm()
    found = refreshed(service)
    assert (found["flow"], found["state"], found["percent"]) == ("rediscover-catalog", "succeeded", 100.0)
    assert " providers looked at, " in found["summary"]
    assert "genai-prices could not be taken up: http://127.0.0.1:9 cannot be reached" in found["summary"]
    prices = refreshed(service, "--prices")
    assert (prices["flow"], prices["percent"]) == ("refresh-prices", 100.0)
    assert ", 0 changes" in prices["summary"]
    assert limits_of(service) == {
        "modelscan-catalogue": 1,
        "modelscan-source-genai-prices": 1,
        "modelscan-source-models.dev": 1,
        "modelscan-source-provider": 4,
    }


def test_a_running_router_reckons_with_a_new_price_from_the_next_request_on(
    service: Service, listed: dict[str, Any]
) -> None:
    service.wait_until_warm()
    service.add("acme/small", "--api-key", KEY)
    price = listed["acme"]["models"]["small"]["cost"]
    before = price["input"]
    assert cost_of_a_chat(service) == (Decimal(str(before)), Decimal("1.5"))
    price["input"] = 0.75
    try:
        assert "1 new prices" in refreshed(service, "--prices")["summary"]  # Whether or not it was looked at before.
        assert cost_of_a_chat(service) == (Decimal("0.75"), Decimal("1.5"))
    finally:
        price["input"] = before
        refreshed(service, "--prices")


def cost_of_a_chat(service: Service) -> tuple[Decimal, Decimal]:
    """The prices, dollars a million tokens in and out, by which a chat's usage row was reckoned."""
    answer = service.chat("acme/small").raise_for_status()
    service.api("GET", "/api/stats").raise_for_status()  # The rows are in the catalogue then.
    asked = f"SELECT cost_usd, price_id FROM usage WHERE request_id = '{answer.headers['x-request-id']}'"
    ((row,)) = json.loads(service.cli("sql", asked, "--json").stdout)
    versions = service.api("GET", "/api/prices?provider=acme&model=small").json()
    (version,) = (one for one in versions if one["id"] == row["price_id"])
    usage, tariff = answer.json()["usage"], version["tariff"]
    rates = Decimal(tariff["input_mtok"]), Decimal(tariff["output_mtok"])
    tokens = usage["prompt_tokens"], usage["completion_tokens"]
    assert Decimal(row["cost_usd"]) * 10**6 == sum(rate * count for rate, count in zip(rates, tokens, strict=True))
    return rates


def limits_of(service: Service) -> dict[str, int]:
    """Ours, as Prefect's server keeps them."""
    url = service.health()["parts"]["prefect"]["detail"]
    limits = httpx2.post(f"{url}/v2/concurrency_limits/filter", json={}).json()
    return {one["name"]: one["limit"] for one in limits if one["name"].startswith("modelscan-")}
