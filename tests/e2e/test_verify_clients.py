"""`verify-clients` as Prefect runs it: asked for by its deployment, one task a provider, a table at the end."""

from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State

from tests.e2e.service import Service, eventually

pytestmark = pytest.mark.prefect


def test_a_verification_runs_by_its_deployment_and_ends_in_a_table(service: Service) -> None:
    service.add("demo/echo")
    prefect = service.health()["parts"]["prefect"]["detail"]
    deployment = service.prefect("GET", "/deployments/name/verify-clients/verify-clients")
    assert deployment["parameter_openapi_schema"]["properties"]["level"]["enum"] == ["contract", "probe", "live"]
    asked = {"providers": ["demo"], "level": "probe", "max_cost_usd": 0}
    with SyncPrefectClient(prefect) as client:
        run = client.create_flow_run_from_deployment(UUID(deployment["id"]), parameters=asked)

        def ended() -> State | None:
            state = client.read_flow_run(run.id).state
            return state if state and state.is_final() else None

        state = eventually(ended, every=0.2, what="the end of the run")
    assert state.is_completed(), state
    of_the_run = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}}
    (artifact,) = eventually(lambda: service.prefect("POST", "/artifacts/filter", json=of_the_run), what="the table")
    assert artifact["description"] == "1 client: 1 as before."
    assert "| demo |" in artifact["data"]
