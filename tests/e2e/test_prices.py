"""A new price, from models.dev to a request's cost, in a service of its own: to others it would be a change."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.conftest import KEY, listing, models_dev_row
from tests.e2e.service import Service

pytestmark = pytest.mark.prefect


def test_a_running_router_reckons_with_a_new_price_from_the_next_request_on(upstream: str, tmp_path: Path) -> None:
    rows = {"acme": models_dev_row("acme", upstream)}
    with listing(rows) as models_dev:
        env = {
            "MODELSCAN_DISCOVERY_MODELS_DEV_URL": models_dev,
            "MODELSCAN_DISCOVERY_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        }
        own = Service(tmp_path, env, covered=False).start()
        try:
            own.wait_until_warm()
            own.add("acme/small", "--api-key", KEY)
            assert cost_of_a_chat(own) == (Decimal("0.5"), Decimal("1.5"))
            assert ", 0 changes" in refreshed(own)  # The first look: what follows differs from it.
            rows["acme"]["models"]["small"]["cost"]["input"] = 0.75
            assert "1 changes, 1 new prices" in refreshed(own, "--prices")
            assert cost_of_a_chat(own) == (Decimal("0.75"), Decimal("1.5"))
        finally:
            own.stop()


def refreshed(service: Service, *options: str) -> str:
    """What the run says of it."""
    done = service.cli("refresh", *options, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    summary: str = json.loads(done.stdout)["summary"]
    return summary


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
