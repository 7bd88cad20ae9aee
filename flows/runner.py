"""`python -m flows.runner`: takes the runs of our deployments that are due, and executes them where all is warm."""

import asyncio
import json
import logging
import os
import signal
import threading
from collections.abc import Mapping
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import Pause, PrefectException
from prefect.flow_engine import run_flow_async
from prefect.states import Crashed
from pydantic import SecretStr

from flows.deployments import DEPLOYMENTS
from modelscan.types import utc_now
from tasks.bench import the_bench
from tasks.deploying import Deployment, deploy
from tasks.missed import MISSED, newest

__all__ = ["main"]

Rows = Mapping[UUID, Deployment]
"""The deployments by Prefect's ids."""

_POLL_SECONDS = 0.5
_MASTER = b"master "
_log = logging.getLogger(__name__)


def main() -> None:
    """Run until SIGTERM, or until stdin ends. A line there means: look now; `master KEY` brings another master key."""
    asyncio.run(_main())


async def _main() -> None:
    wake, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    masters: asyncio.Queue[SecretStr] = asyncio.Queue()
    threading.Thread(target=_listen, args=(loop, wake, stop, masters), daemon=True).start()
    _say(state="starting", detail="warming up")
    await asyncio.to_thread(the_bench)
    renewing = asyncio.create_task(_renew(masters))
    serving = asyncio.create_task(_serve(wake))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    for task in (serving, renewing):
        task.cancel()
    await asyncio.gather(serving, renewing, return_exceptions=True)
    the_bench().sandbox.close()


def _listen(
    loop: asyncio.AbstractEventLoop, wake: asyncio.Event, stop: asyncio.Event, masters: asyncio.Queue[SecretStr]
) -> None:
    begun = b""
    # Not sys.stdin: a thread that waits in it makes the interpreter's end a fatal error.
    while read := os.read(0, 4096):
        *lines, begun = (begun + read).split(b"\n")
        for line in lines:
            if line.startswith(_MASTER):
                loop.call_soon_threadsafe(masters.put_nowait, SecretStr(line.removeprefix(_MASTER).decode()))
        loop.call_soon_threadsafe(wake.set)
    loop.call_soon_threadsafe(stop.set)


async def _renew(masters: asyncio.Queue[SecretStr]) -> None:
    """Open the stored keys with the master key that came last: this process's environment has the one before."""
    while True:
        the_bench().custody.take(await masters.get())


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - the line that the parent reads


async def _serve(wake: asyncio.Event) -> None:
    async with get_client() as client:
        while error := await client.api_healthcheck():
            _say(state="starting", detail=f"waiting for the Prefect API ({type(error).__name__})")
            await asyncio.sleep(_POLL_SECONDS)
        rows = await deploy(client, DEPLOYMENTS, the_bench().settings.schedules)
        await _crash_leftovers(client, rows)
        _say(state="ready", deployments=sorted(row.name for row in rows.values()))
        running: dict[UUID, asyncio.Task[None]] = {}
        try:
            await _poll(client, rows, wake, running)
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)


async def _poll(
    client: PrefectClient, rows: Rows, wake: asyncio.Event, running: dict[UUID, asyncio.Task[None]]
) -> None:
    at_once = the_bench().settings.runner.parallel_runs
    while True:
        if len(running) < at_once:
            for run in await _due(client, rows):
                if run.id not in running and len(running) < at_once:
                    running[run.id] = asyncio.create_task(_execute(run, rows, running))
        wake.clear()
        with anyio.move_on_after(_POLL_SECONDS):
            await wake.wait()


async def _due(client: PrefectClient, rows: Rows) -> list[FlowRun]:
    """What is to be executed now. What a schedule asked for while nobody was there is done once."""
    try:
        found = await client.get_scheduled_flow_runs_for_deployments(list(rows), utc_now())
        due, missed = newest(found)
        for run in missed:
            await client.set_flow_run_state(run.id, MISSED, force=True)
    except (PrefectException, httpx.HTTPError) as error:
        _log.warning("the Prefect API did not answer: %s", error)
        return []
    return due


async def _execute(run: FlowRun, rows: Rows, running: dict[UUID, asyncio.Task[None]]) -> None:
    """One run, limited in time; whatever becomes of it, the loop goes on."""
    row = rows[run.deployment_id] if run.deployment_id else DEPLOYMENTS[0]
    seconds = row.seconds(the_bench().settings)
    try:
        async with asyncio.timeout(seconds):
            await run_flow_async(row.flow, flow_run=run, parameters=run.parameters, return_type="state")
    except Pause:
        _log.info("%s waits for approval", run.name)
    except TimeoutError:
        _log.warning("%s took more than %g s", run.name, seconds)
    except Exception:  # noqa: BLE001 - the edge of one run: the others go on
        _log.exception("%s ended unexpectedly", run.name)
    finally:
        running.pop(run.id, None)


async def _crash_leftovers(client: PrefectClient, rows: Rows) -> None:
    """Runs that a runner before this one was executing when it died."""
    busy = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
    for run in await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=list(rows)), state=FlowRunFilterState(type=busy)
        )
    ):
        await client.set_flow_run_state(run.id, Crashed(message="The runner that executed it ended."), force=True)


if __name__ == "__main__":
    main()
