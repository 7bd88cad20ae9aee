"""Turns queued discoveries into Prefect runs, over Prefect's HTTP API, as soon as that answers."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import httpx2

from modelscan.catalog import approvals, discoveries, lives
from modelscan.catalog.database import Database
from modelscan.errors import CatalogError
from modelscan.redaction import redact
from modelscan.types import Discovery, DiscoveryError, DiscoveryState, utc_now
from modelscan.visible import visible

__all__ = ["DEPLOYMENT", "Dispatcher", "prefect_headers"]

DEPLOYMENT = "discover-provider/discover-provider"

_POLL_SECONDS = 0.5
_WATCH_SECONDS = 5.0
_ENDED_BADLY = ("FAILED", "CRASHED", "CANCELLED")
_LONGEST_WHY = 300
_GOES_ON = ("PENDING", "RUNNING", "SCHEDULED", "PAUSED")
_NOT_OUR_FAULT = frozenset({401, 403, 404, 408, 429, *range(500, 600)})
"""Answers to a submission that another try may change; any other says that this one is wrong."""
_log = logging.getLogger(__name__)


class Dispatcher:
    """The queue is the catalogue's, so nothing is lost when the router ends; what it knows in memory is only a hint."""

    def __init__(
        self,
        database: Database,
        *,
        api_url: Callable[[], str | None],
        http: httpx2.AsyncClient,
        wake: Callable[[], None],
        deployment: str = DEPLOYMENT,
    ) -> None:
        self._database = database
        self._api_url = api_url
        self._http = http
        self._wake = wake
        self._deployment = deployment
        self._deployment_id: str | None = None
        self._news = asyncio.Event()

    def enqueue(self) -> None:
        """There is a new discovery in the catalogue."""
        self._news.set()

    async def run(self) -> None:
        """Submit what is queued, and notice runs that ended without telling the catalogue, until cancelled."""
        self._news.set()
        while True:
            try:
                async with asyncio.timeout(_WATCH_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                await self._watch()
                continue
            self._news.clear()
            while not await self._submit_all():  # noqa: ASYNC110 - it waits for another process, which has no event
                await asyncio.sleep(_POLL_SECONDS)

    async def _submit_all(self) -> bool:
        """Whether all that was queued has a run by now."""
        try:
            for judged in await asyncio.to_thread(approvals.untold, self._database):
                await self._resume(judged)
            for discovery in await self._unfinished():
                if discovery.flow_run_id is None:
                    await self._submit(discovery)
        except (httpx2.TransportError, httpx2.HTTPStatusError, CatalogError) as error:
            _log.info("discoveries stay queued: %s", error)
            self._deployment_id = None
            return False
        return True

    async def _submit(self, discovery: Discovery) -> None:
        deployment = self._deployment_id or await self._find_deployment()
        body = {
            "name": f"discover {discovery.identifier}",
            "parameters": {
                "identifier": discovery.identifier,
                "base_url": discovery.base_url,
                "refresh": discovery.refresh,
                "deep": discovery.deep,
            },
            "tags": [f"discovery:{discovery.id}"],
            # What was approved after its run was gone needs another run than the one that was asked for first.
            "idempotency_key": f"{discovery.id}-approved" if discovery.verdict else discovery.id,
        }
        try:
            run = await self._call("POST", f"/deployments/{deployment}/create_flow_run", json=body)
        except httpx2.HTTPStatusError as error:
            if error.response.status_code not in _NOT_OUR_FAULT:
                await self._mark_interrupted(discovery, f"Prefect refused it with {error.response.status_code}")
                return
            raise
        await asyncio.to_thread(discoveries.update, self._database, discovery.id, flow_run_id=run["id"])
        self._wake()

    async def _resume(self, judged: Discovery) -> None:
        """Tell the suspended run of the verdict; where it is gone, another one publishes what was approved."""
        verdict, run = judged.verdict, judged.flow_run_id
        assert verdict is not None
        said = {"run_input": {"approve": verdict.approved, "reason": verdict.reason}}
        try:
            answer = await self._call("POST", f"/flow_runs/{run}/resume", json=said)
            resumed = answer["status"] == "ACCEPT"
            if answer["status"] == "REJECT":  # It died between its suspension and its question: nobody can answer it.
                state = "CANCELLED"
                await self._end(run, state, "It was suspended without its question.")
            else:
                state = "" if resumed else (await self._call("GET", f"/flow_runs/{run}"))["state_type"]
        except httpx2.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            resumed, state = False, "GONE"
        if state in _GOES_ON:
            return  # It was not suspended yet: the next look will find it so, or ended.
        await asyncio.to_thread(approvals.told, self._database, judged.id, again=not resumed)
        self._wake()

    async def _end(self, run: str | None, state: str, why: str) -> None:
        body = {"state": {"type": state, "message": why}, "force": True}
        await self._call("POST", f"/flow_runs/{run}/set_state", json=body)

    async def _find_deployment(self) -> str:
        self._deployment_id = str((await self._call("GET", f"/deployments/name/{self._deployment}"))["id"])
        return self._deployment_id

    async def _watch(self) -> None:
        """A run that crashed, was cancelled or was deleted cannot tell the catalogue itself."""
        try:
            untold = {judged.id for judged in await asyncio.to_thread(approvals.untold, self._database)}
            if untold:
                self._news.set()
            for discovery in await self._unfinished():
                if discovery.id in untold:  # Its run may be gone: another one publishes it then.
                    continue
                if discovery.flow_run_id is None:
                    self._news.set()
                elif ended := await self._ended_badly(discovery.flow_run_id):
                    await self._mark_interrupted(discovery, f"its run {ended}")
        except (httpx2.TransportError, httpx2.HTTPStatusError, CatalogError) as error:
            _log.info("the running discoveries could not be looked at: %s", error)

    async def _ended_badly(self, flow_run_id: str) -> str:
        """How a run ended without a result, in words; empty where it goes on or ended well."""
        try:
            run = await self._call("GET", f"/flow_runs/{flow_run_id}")
        except httpx2.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.NOT_FOUND:
                return "was deleted"
            raise
        if run["state_type"] in _ENDED_BADLY:
            # Another router, which saw that its process was killed, said so there: its word is as good as ours.
            why = redact((run.get("state") or {}).get("message") or "")
            return f"ended as {run['state_name']}" + (f": {visible(why, _LONGEST_WHY).rstrip('.')}" if why else "")
        if run["state_type"] == "RUNNING" and await asyncio.to_thread(lives.killed, self._database, flow_run_id):
            await self._end(flow_run_id, "CRASHED", "The process that executed it was killed: ask for it again.")
            return "was killed, or the machine that executed it"
        return ""

    async def _mark_interrupted(self, discovery: Discovery, why: str) -> None:
        error = DiscoveryError(
            code="discovery-interrupted",
            message=f"The discovery of {discovery.identifier} was interrupted: {why}.",
            hint=f"Ask again: modelscan add {discovery.identifier}",
        )
        failed = partial(discoveries.update, state=DiscoveryState.FAILED, error=error, ended_at=utc_now())
        if discovery.flow_run_id:
            await asyncio.to_thread(lives.forget, self._database, discovery.flow_run_id)
        await asyncio.to_thread(failed, self._database, discovery.id)

    async def _unfinished(self) -> tuple[Discovery, ...]:
        return await asyncio.to_thread(discoveries.unfinished, self._database)

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        url = self._api_url()
        if url is None:
            raise httpx2.ConnectError("the Prefect API has no address yet")
        answer = await self._http.request(method, url.rstrip("/") + path, headers=prefect_headers(), **more)
        answer.raise_for_status()
        return answer.json()


def prefect_headers(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The credentials for a Prefect API of the operator's own."""
    if key := environ.get("PREFECT_API_KEY"):
        return {"authorization": f"Bearer {key}"}
    return {}
