"""`verify-clients` as Prefect runs it: asked for by its deployment, one task a provider, a table at the end."""

from typing import Any

import httpx2
import pytest

from tests.e2e.service import Service, eventually

pytestmark = pytest.mark.prefect


def test_a_verification_runs_by_its_deployment_and_ends_in_a_table(service: Service) -> None:
    service.add("demo/echo")
    prefect = service.health()["parts"]["prefect"]["detail"]
    deployment = httpx2.get(f"{prefect}/deployments/name/verify-clients/verify-clients").json()
    assert deployment["parameter_openapi_schema"]["properties"]["level"]["enum"] == ["contract", "probe", "live"]
    asked = {"parameters": {"providers": ["demo"], "level": "probe", "max_cost_usd": 0}}
    run = httpx2.post(f"{prefect}/deployments/{deployment['id']}/create_flow_run", json=asked).json()

    def ended() -> Any:
        now = httpx2.get(f"{prefect}/flow_runs/{run['id']}").json()
        return now if now["state_type"] in ("COMPLETED", "FAILED", "CRASHED") else None

    now = eventually(ended, every=0.2, what="the end of the run")
    assert now["state_type"] == "COMPLETED", now["state"]
    of_the_run = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
    (artifact,) = eventually(
        lambda: httpx2.post(f"{prefect}/artifacts/filter", json=of_the_run).json(), what="the table"
    )
    assert artifact["description"] == "1 client: 1 as before."
    assert "| demo |" in artifact["data"]
