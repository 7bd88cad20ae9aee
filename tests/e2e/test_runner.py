"""A bad run ends alone, and Prefect is told why: the real runner with flows that misbehave, and a real Prefect API."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from tests.e2e.service import CHECKOUT, Service
from tests.tasks.running.test_zygote import gone

pytestmark = pytest.mark.prefect


class Desk:
    """A runner with bad flows, and the Prefect API that it works for."""

    def __init__(self, client: PrefectClient, name: str, folder: Path) -> None:
        self.client, self.name, self.folder = client, name, folder

    async def ask(self, way: str, limit: str = "") -> FlowRun:
        """Have a run misbehave: for as long as it likes, or `-in-time`."""
        deployment = await _deployed(self.client, f"misbehave/{self.name}{limit}")
        parameters = {"way": way, "told": str(self.folder / way)}
        return await self.client.create_flow_run_from_deployment(deployment.id, parameters=parameters)

    async def pid(self, way: str) -> int:
        """Of the run's process, once its task runs."""
        async with asyncio.timeout(60):
            while not (self.folder / way).exists() or not (self.folder / way).read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return int((self.folder / way).read_text())

    async def tasks_of(self, run: FlowRun) -> list[str]:
        """The states of its tasks, once none goes on."""
        states = list[str]()
        async with asyncio.timeout(30):
            while not states or "Running" in states:
                await asyncio.sleep(0.1)
                wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
                found = await self.client.read_task_runs(flow_run_filter=wanted)
                states = [str(task.state_name) for task in found]
        return states

    async def ended(self, run: FlowRun, words: str) -> None:
        """Wait until its state says so."""
        said = ""
        try:
            async with asyncio.timeout(150):
                while words not in said:
                    await asyncio.sleep(0.1)
                    state = (await self.client.read_flow_run(run.id)).state
                    said = f"{state.name}: {state.message}" if state else ""
        except TimeoutError:
            raise AssertionError(f"{said!r} does not say {words!r}") from None


@asynccontextmanager
async def desk(url: str, folder: Path) -> AsyncIterator[Desk]:
    name = f"misbehave-{uuid.uuid4().hex}"
    settings = {
        "BAD_FLOWS": name,
        "MODELSCAN_DATA_DIR": str(folder / "data"),
        "MODELSCAN_DISCOVERY_RUN_SECONDS": "600",
        "MODELSCAN_RUNNER_CATALOGUE_SECONDS": "20",
        "MODELSCAN_RUNNER_MEMORY_MB": "512",
        "MODELSCAN_RUNNER_PARALLEL_RUNS": "8",
        "PREFECT_API_URL": url,
    }
    with (folder / "runner.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.e2e.bad_flows"),
            env={**os.environ, **settings},
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        async with PrefectClient(url) as client:
            yield Desk(client, name, folder)
    finally:
        assert process.stdin
        process.stdin.close()  # Its parent is gone, so it ends.
        assert await process.wait() == 0, (folder / "runner.log").read_text()


async def _deployed(client: PrefectClient, name: str) -> DeploymentResponse:
    async with asyncio.timeout(90):
        while True:
            try:
                return await client.read_deployment_by_name(name)
            except ObjectNotFound:
                await asyncio.sleep(0.1)


ENDS = {
    "wait": "Cancelled: It was cancelled while it ran, and stopped.",
    "hog": "Crashed: It needed more than 512 MiB of memory, and was ended. runner.memory_mb sets the limit.",
    "fault": "Crashed: Its process was ended by SIGSEGV",
    "exit": "Crashed: Its process ended unexpectedly, with 9",
}
TIMED_OUT = "TimedOut: It took more than 20 s, and was stopped. runner.catalogue_seconds sets the limit."


async def each_bad_run_ends_alone(at: Desk) -> None:
    hanging = await at.ask("hang", "-in-time")
    runs = {way: await at.ask(way) for way in ENDS}
    await at.pid("wait")
    await at.client.set_flow_run_state(runs["wait"].id, Cancelling(), force=True)
    await asyncio.gather(*(at.ended(run, ENDS[way]) for way, run in runs.items()), at.ended(hanging, TIMED_OUT))
    await gone(await at.pid("hang"))
    assert await at.tasks_of(hanging) == ["Crashed"]
    await at.ended(await at.ask("well"), "Completed")


async def one_that_is_killed_is_told(at: Desk) -> None:
    (at.folder / "hang").unlink()
    killed = await at.ask("hang")
    os.kill(await at.pid("hang"), signal.SIGKILL)
    await at.ended(killed, "Crashed: Its process was killed (SIGKILL)")


def test_each_bad_run_ends_alone_and_says_why(service: Service, tmp_path: Path) -> None:
    service.wait_until_warm()

    url = service.health()["parts"]["prefect"]["detail"]

    async def told() -> None:
        async with desk(url, tmp_path) as at:
            await each_bad_run_ends_alone(at)
            await one_that_is_killed_is_told(at)
            (tmp_path / "wait").unlink()
            left = await at.ask("wait")
            pid = await at.pid("wait")
        await gone(pid)
        async with PrefectClient(url) as client:
            at.client = client
            await at.ended(left, "Crashed: The runner was ended while this ran: ask for it again.")

    asyncio.run(told())
