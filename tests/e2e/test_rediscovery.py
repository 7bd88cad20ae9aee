"""A person has every provider looked at again: through the command, the router, Prefect and the runner."""

import json
from typing import Any

import pytest

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


def limits_of(service: Service) -> dict[str, int]:
    """Ours, as Prefect's server keeps them."""
    limits = service.prefect("POST", "/v2/concurrency_limits/filter", json={})
    return {one["name"]: one["limit"] for one in limits if one["name"].startswith("modelscan-")}
