"""A run over the catalogue is asked of Prefect and followed there; the Prefect API here is a transport."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelscan.errors import ModelScanError
from router_app import refreshing
from router_app.problems import problem
from router_app.refreshing import Refreshing

RUN = "0f0e0d0c-0000-4000-8000-000000000001"


class Prefect:
    """As much of its API as is asked."""

    def __init__(self, state: str = "COMPLETED", status: int = 200, artifacts: Any = ()) -> None:
        self.state, self.status, self.artifacts = state, status, list(artifacts)
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.locked = 0
        """How many requests are answered with a 503 first."""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.status == 0:
            raise httpx2.ConnectError("refused")
        if self.locked:
            self.locked -= 1
            return httpx2.Response(503)
        path = request.url.path.removeprefix("/api")
        self.paths.append(path)
        self.bodies.append(json.loads(request.content) if request.content else None)
        if path.startswith("/deployments/name/"):
            return httpx2.Response(self.status, json={"id": "d"})
        if path.endswith("/create_flow_run"):
            return httpx2.Response(201, json={"id": RUN})
        if path == "/artifacts/filter":
            return httpx2.Response(200, json=self.artifacts)
        state = {"message": "No list could be read."}
        body = {"name": "refresh prices", "state_type": self.state, "state_name": self.state.title(), "state": state}
        return httpx2.Response(self.status, json=body)


async def told(_: Request, error: Exception) -> Response:
    assert isinstance(error, ModelScanError)
    return problem(error)


def asked(prefect: Prefect | None, method: str, path: str, **more: Any) -> tuple[int, Any]:
    """The answer's status and body; what was woken is counted in `prefect.paths` as `wake`."""

    async def story() -> tuple[int, Any]:
        given: dict[str, Any] = {}
        if prefect:
            http = httpx2.AsyncClient(transport=httpx2.MockTransport(prefect))
            given = {
                "api_url": lambda: "http://prefect/api",
                "http": http,
                "wake": lambda: prefect.paths.append("wake"),
            }
        table = Refreshing(**given).table()
        routes = [Route(f"/api{place}", endpoint, methods=[one]) for one, place, endpoint in table]
        app = Starlette(routes=routes, exception_handlers={ModelScanError: told})
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://router") as client:
            answer = await client.request(method, path, **more)
            return answer.status_code, answer.json()

    return asyncio.run(story())


@pytest.mark.parametrize(("locked", "status"), [(4, 202), (5, 503)])
def test_a_prefect_whose_database_is_locked_is_asked_again(
    locked: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "_AGAIN_SECONDS", (0.0,) * 4)
    prefect = Prefect()
    prefect.locked = locked
    assert asked(prefect, "POST", "/api/refresh", json={})[0] == status
    assert prefect.locked == 0


@pytest.mark.parametrize(("prices", "flow"), [(False, "rediscover-catalog"), (True, "refresh-prices")])
def test_a_run_is_begun_and_the_runner_is_woken(prices: bool, flow: str) -> None:
    prefect = Prefect()
    status, body = asked(prefect, "POST", "/api/refresh", json={"prices": prices, "all": True})
    assert (status, body["id"], body["flow"], body["state"]) == (202, RUN, flow, "queued")
    assert prefect.paths == [f"/deployments/name/{flow}/{flow}", "/deployments/d/create_flow_run", "wake"]
    assert prefect.bodies[1] == {"parameters": {"refresh": True}}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("SCHEDULED", "queued"),
        ("PENDING", "queued"),
        ("RUNNING", "running"),
        ("COMPLETED", "succeeded"),
        ("CRASHED", "failed"),
    ],
)
def test_a_run_is_followed_with_its_progress_and_its_summary(theirs: str, ours: str) -> None:
    artifacts = [{"type": "progress", "data": 40.5}, {"type": "markdown", "data": "# 6 providers"}]
    status, body = asked(Prefect(theirs, artifacts=artifacts), "GET", f"/api/refresh/{RUN}")
    assert (status, body["state"], body["flow"]) == (200, ours, "refresh-prices")
    assert (body["percent"], body["summary"]) == (40.5, "# 6 providers")
    assert body["detail"] == ("No list could be read." if ours == "failed" else "")


def test_a_run_that_has_no_artifact_yet_is_at_its_begin() -> None:
    _, body = asked(Prefect("RUNNING"), "GET", f"/api/refresh/{RUN}")
    assert (body["percent"], body["summary"]) == (0.0, "")


@pytest.mark.parametrize("prefect", [None, Prefect(status=0), Prefect(status=404), Prefect(status=503)])
def test_without_prefect_the_answer_says_so(prefect: Prefect | None) -> None:
    status, body = asked(prefect, "POST", "/api/refresh", json={})
    assert (status, body["code"]) == (503, "service-unavailable")
    assert "GET /health" in body["hint"]


@pytest.mark.parametrize(
    ("run", "prefect"), [(RUN, Prefect(status=404)), ("no-run", Prefect(status=422)), ("a.b", Prefect())]
)
def test_a_run_that_there_is_not_is_a_404(run: str, prefect: Prefect) -> None:
    status, body = asked(prefect, "GET", f"/api/refresh/{run}")
    assert (status, body["code"]) == (404, "not-found")
