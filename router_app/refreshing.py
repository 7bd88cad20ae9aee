"""Looking at the catalogue again, asked for over the admin API: a run of Prefect's, begun and followed over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Literal

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.errors import NotFound, ServiceUnavailable
from modelscan.types import Frozen
from router_app.bodies import Refresh, read_body
from router_app.dispatch import prefect_headers

__all__ = ["RefreshRun", "Refreshing"]

Endpoint = Callable[[Request], Awaitable[Response]]
_STATES: dict[str, Literal["queued", "running", "succeeded", "failed"]] = {
    "SCHEDULED": "queued",
    "PENDING": "queued",
    "RUNNING": "running",
    "COMPLETED": "succeeded",
}
_AGAIN_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""Before the next attempt where Prefect's SQLite was locked for too long: it answers 503 then, and has done nothing."""

_FLOWS = {"rediscover the catalogue": "rediscover-catalog", "refresh prices": "refresh-prices"}
"""By the names that their runs have."""


class RefreshRun(Frozen):
    """One run over the catalogue, as far as Prefect tells."""

    id: str
    """Prefect's, of the flow run."""
    flow: str
    """`rediscover-catalog` or `refresh-prices`."""
    state: Literal["queued", "running", "succeeded", "failed"] = "queued"
    detail: str = ""
    """Why it failed."""
    percent: float = 0.0
    """Of the providers, how many were looked at."""
    summary: str = ""
    """In Markdown, at the end: what changed, what failed, what is held."""


class Refreshing:
    """The endpoints below /api/refresh; the router knows Prefect by its HTTP API alone."""

    def __init__(
        self,
        *,
        api_url: Callable[[], str | None] = lambda: None,
        http: httpx2.AsyncClient | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._api_url = api_url
        self._http = http
        self._wake = wake

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [("POST", "/refresh", self.begin), ("GET", "/refresh/{id}", self.show)]

    async def begin(self, request: Request) -> Response:
        """202 and where to follow it."""
        asked = await read_body(request, Refresh)
        flow = "refresh-prices" if asked.prices else "rediscover-catalog"
        deployment = await self._call("GET", f"/deployments/name/{flow}/{flow}")
        body = {"parameters": {"refresh": asked.all}}
        run = await self._call("POST", f"/deployments/{deployment['id']}/create_flow_run", json=body)
        self._wake()
        begun = RefreshRun(id=run["id"], flow=flow)
        return JSONResponse(begun.model_dump(mode="json"), 202, {"location": f"/api/refresh/{begun.id}"})

    async def show(self, request: Request) -> Response:
        """The run as it is now."""
        run_id = request.path_params["id"]
        if not run_id.replace("-", "").isalnum():
            raise _unknown(run_id)
        run = await self._call("GET", f"/flow_runs/{run_id}")
        asked = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        artifacts = {one["type"]: one["data"] for one in await self._call("POST", "/artifacts/filter", json=asked)}
        state = _STATES.get(run["state_type"], "failed")
        found = RefreshRun(
            id=run_id,
            flow=_FLOWS.get(run["name"], run["name"]),
            state=state,
            detail=((run.get("state") or {}).get("message") or run["state_name"]) if state == "failed" else "",
            percent=_number(artifacts.get("progress")),
            summary=str(artifacts.get("markdown") or ""),
        )
        return JSONResponse(found.model_dump(mode="json"))

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        """Raises ServiceUnavailable while Prefect is not there, NotFound for a run that it does not know."""
        url = self._api_url()
        if not url or self._http is None:
            raise _not_there("it has no address yet")
        try:
            waits = iter(_AGAIN_SECONDS)
            while True:
                answer = await self._http.request(method, url.rstrip("/") + path, headers=prefect_headers(), **more)
                wait = next(waits, None) if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE else None
                if wait is None:
                    break
                await asyncio.sleep(wait)
        except httpx2.TransportError as error:
            raise _not_there(f"it does not answer ({type(error).__name__})") from error
        if path.startswith("/flow_runs/") and answer.status_code in (HTTPStatus.NOT_FOUND, 422):
            raise _unknown(path.removeprefix("/flow_runs/"))
        if answer.is_error:  # Also a 404: the runner makes the deployments known a little later.
            raise _not_there(f"it answered {answer.status_code}")
        return answer.json()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _not_there(why: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"Prefect cannot take a run now: {why}.", hint="GET /health says whether prefect and runner are up; try again."
    )


def _unknown(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id[:64]!r}.", hint="POST /api/refresh begins one.")
