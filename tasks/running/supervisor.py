"""Takes the runs that are due, has each executed in a process of its own, and tells Prefect what those cannot tell."""

import asyncio
import logging
from collections.abc import Mapping
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.exceptions import PrefectException
from prefect.states import Pending

from modelscan.settings import Settings
from modelscan.types import utc_now
from tasks.deploying import Deployment
from tasks.missed import MISSED, newest
from tasks.running.ending import Limits, ended
from tasks.running.forks import Fork, Forks
from tasks.running.leftovers import our_pid
from tasks.running.task_ends import end_tasks
from tasks.running.zygote import Order

__all__ = ["Rows", "Supervisor"]

Rows = Mapping[UUID, Deployment]
"""The deployments by Prefect's ids."""

_POLL_SECONDS = 0.5
_UNREACHED = (PrefectException, httpx.HTTPError)
_TELL_SECONDS = (0.2, 1.0, 3.0, 10.0, 30.0)
"""How long is waited before the end of a run is told again to an API that does not answer."""
_STOP_SECONDS = 8.0
"""How long the end of the runner may take: what runs has four seconds to heed it, and is killed then."""
_log = logging.getLogger(__name__)


class Supervisor:
    """Executes no run itself, so no run can take it down."""

    def __init__(self, client: PrefectClient, rows: Rows, forks: Forks, settings: Settings) -> None:
        self._client = client
        self._rows = rows
        self._forks = forks
        self._settings = settings
        self._running: dict[UUID, tuple[FlowRun, asyncio.Task[None]]] = {}
        self._begun: dict[UUID, Fork] = {}

    async def run(self, wake: asyncio.Event) -> None:
        """Look for runs that are due twice a second, and whenever `wake` is set; until cancelled."""
        while True:
            if len(self._running) < self._settings.runner.parallel_runs:
                await self._take()
            if self._begun:
                await self._heed_cancellations()
            wake.clear()
            with anyio.move_on_after(_POLL_SECONDS):
                await wake.wait()

    async def stop(self) -> None:
        """End what runs, and tell Prefect so, unless it is gone as well: the next runner tells it then."""
        for fork in self._begun.values():
            fork.stop("closing")
        ending = [task for _, task in self._running.values()]
        if ending:
            await asyncio.wait(ending, timeout=_STOP_SECONDS)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _take(self) -> None:
        try:
            found = await self._client.get_scheduled_flow_runs_for_deployments(list(self._rows), utc_now())
            due, missed = newest(run for run in found if not self._must_wait(run))
            for run in missed:
                await self._client.set_flow_run_state(run.id, MISSED, force=True)
        except _UNREACHED as error:
            _log.warning("the Prefect API did not answer: %s", error)
            return
        for run in due[: self._settings.runner.parallel_runs - len(self._running)]:
            self._running[run.id] = run, asyncio.create_task(self._execute(run))

    def _must_wait(self, run: FlowRun) -> bool:
        """It runs already, or a schedule asked for it while the run that was asked for before still goes on."""
        return run.id in self._running or (
            bool(run.auto_scheduled)
            and any(one.deployment_id == run.deployment_id for one, _ in self._running.values())
        )

    async def _execute(self, run: FlowRun) -> None:
        """One run; whatever becomes of it, the others go on."""
        try:
            if await self._claimed(run):
                await self._forked(run)
        except _UNREACHED as error:
            _log.warning("%s could not be begun, which is tried again: %s", run.name, error)
        except Exception:  # noqa: BLE001 - the edge of one run
            _log.exception("%s ended unexpectedly", run.name)
        finally:
            del self._running[run.id]

    async def _claimed(self, run: FlowRun) -> bool:
        """Whether it is ours to execute: another runner of this Prefect may have been quicker."""
        await self._client.update_flow_run(run.id, infrastructure_pid=our_pid())
        said: OrchestrationResult[None] = await self._client.set_flow_run_state(run.id, Pending())
        return said.status == SetStateStatus.ACCEPT and said.state is not None and said.state.is_pending()

    async def _forked(self, run: FlowRun) -> None:
        row = self._rows[run.deployment_id] if run.deployment_id else next(iter(self._rows.values()))
        limits = Limits(row.seconds(self._settings), row.seconds_setting, self._settings.runner.memory_mb)
        order = Order(
            id=str(run.id),
            deployment=row.name,
            run=run.model_dump(mode="json"),
            memory_bytes=limits.memory_mb * 2**20,
        )
        fork = self._begun[run.id] = self._forks.begin(order)
        timer = asyncio.get_running_loop().call_later(limits.seconds, fork.stop, "time")
        try:
            status = await fork.ended
        finally:
            timer.cancel()
            del self._begun[run.id]
        if state := ended(status, fork.why, limits):
            _log.warning("%s: %s", run.name, state.message)
            await self._tell(run, state)

    async def _tell(self, run: FlowRun, state: State[None]) -> None:
        for seconds in (*_TELL_SECONDS, 0):
            try:
                await self._client.set_flow_run_state(run.id, state, force=True)
                await end_tasks(self._client, run.id)
            except _UNREACHED as error:
                _log.warning("the end of %s could not be told: %s", run.name, error)
                await asyncio.sleep(seconds)
            else:
                return

    async def _heed_cancellations(self) -> None:
        """Stop what somebody cancelled, in the UI or over the API."""
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.CANCELLED]))
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(self._begun)), state=state)
        try:
            cancelled = await self._client.read_flow_runs(flow_run_filter=wanted)
        except _UNREACHED as error:
            _log.warning("the Prefect API did not answer: %s", error)
            return
        for run in cancelled:
            if fork := self._begun.get(run.id):
                fork.stop("cancelled")
