"""The runner goes on whatever becomes of one run, or of the Prefect API."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.states import Suspended
from pydantic import SecretStr

from flows import runner
from flows.deployments import DEPLOYMENTS
from modelscan.settings import DiscoverySettings, RunnerSettings, Settings

DEPLOYMENT = uuid4()
ROWS = {DEPLOYMENT: DEPLOYMENTS[0]}


class Client:
    """As much of Prefect's client as the runner uses."""

    def __init__(self, *scheduled: Any, waiting: Sequence[FlowRun] = (), unhealthy: int = 0) -> None:
        self.answers = list(scheduled)
        self.waiting = list(waiting)
        """What is scheduled until somebody takes it away."""
        self.unhealthy = unhealthy
        self.states: dict[UUID, str] = {}
        self.leftovers: list[FlowRun] = []

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def api_healthcheck(self) -> Exception | None:
        self.unhealthy -= 1
        return ConnectionError("not yet") if self.unhealthy >= 0 else None

    async def get_scheduled_flow_runs_for_deployments(self, deployments: list[UUID], before: datetime) -> list[FlowRun]:
        assert deployments == [DEPLOYMENT]
        assert before <= datetime.now(UTC)
        answer = self.answers.pop(0) if self.answers else list(self.waiting)
        if isinstance(answer, Exception):
            raise answer
        return cast("list[FlowRun]", answer)

    async def read_flow_runs(self, **_: object) -> list[FlowRun]:
        return self.leftovers

    async def set_flow_run_state(self, run_id: UUID, state: Any, force: bool) -> None:
        assert force
        self.states[run_id] = state.name


def a_run(name: str = "discover demo/echo") -> FlowRun:
    asked = {"parameters": {"identifier": "demo/echo"}, "deployment_id": DEPLOYMENT}
    return FlowRun(flow_id=uuid4(), name=name, **asked)


def limited(seconds: float) -> Settings:
    return Settings(discovery=DiscoverySettings(run_seconds=seconds), runner=RunnerSettings(parallel_runs=4))


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A bench with nothing but the limit of a run."""
    found = SimpleNamespace(settings=limited(0.05))
    monkeypatch.setattr(runner, "the_bench", lambda: found)
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.01)
    return found


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[FlowRun]:
    """The runs that were executed, each of which does nothing."""
    seen: list[FlowRun] = []

    async def execute(_flow: object, *, flow_run: FlowRun, **_: object) -> None:
        seen.append(flow_run)

    monkeypatch.setattr(runner, "run_flow_async", execute)
    return seen


async def polled(client: Client, executed: list[FlowRun], count: int) -> None:
    running: dict[UUID, asyncio.Task[None]] = {}
    polling = asyncio.create_task(runner._poll(cast("PrefectClient", client), ROWS, asyncio.Event(), running))
    async with asyncio.timeout(20):
        while len(executed) < count or running:  # noqa: ASYNC110 - the runs end by themselves
            await asyncio.sleep(0.005)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


def test_what_is_scheduled_is_executed_once_and_an_api_that_fails_is_asked_again(
    executed: list[FlowRun], caplog: pytest.LogCaptureFixture
) -> None:
    runs = [a_run(str(number)) for number in range(6)]
    client = Client(httpx.ConnectError("refused"), runs[:2], runs[2:], runs[4:])
    asyncio.run(polled(client, executed, 6))
    assert sorted(run.name for run in executed[:6]) == [str(number) for number in range(6)]
    assert "did not answer" in caplog.text


def test_no_more_than_a_few_run_at_once(monkeypatch: pytest.MonkeyPatch, bench: SimpleNamespace) -> None:
    bench.settings = limited(20)
    most, now, done = 0, 0, list[FlowRun]()

    async def execute(_flow: object, *, flow_run: FlowRun, **_: object) -> None:
        nonlocal most, now
        client.waiting.remove(flow_run)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        done.append(flow_run)

    monkeypatch.setattr(runner, "run_flow_async", execute)
    client = Client(waiting=[a_run(str(number)) for number in range(9)])
    asyncio.run(polled(client, done, 9))
    assert most == 4
    assert sorted(run.name for run in done) == [str(number) for number in range(9)]


@pytest.mark.parametrize(
    ("error", "said", "level"),
    [(None, "took more than 0.05 s", logging.WARNING), (RuntimeError("boom"), "ended unexpectedly", logging.ERROR)],
)
def test_a_run_that_hangs_or_breaks_ends_alone(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception | None,
    said: str,
    level: int,
) -> None:
    async def execute(*_: object, **__: object) -> None:
        if error:
            raise error
        await asyncio.Event().wait()

    monkeypatch.setattr(runner, "run_flow_async", execute)
    run = a_run()
    running: dict[UUID, asyncio.Task[None]] = {run.id: cast("asyncio.Task[None]", None)}
    asyncio.run(runner._execute(run, ROWS, running))
    assert running == {}
    assert [(record.levelno, said in record.message) for record in caplog.records] == [(level, True)]


def test_a_suspended_run_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def execute(*_: object, **__: object) -> None:
        raise Pause(state=Suspended())

    monkeypatch.setattr(runner, "run_flow_async", execute)
    run = a_run()
    running: dict[UUID, asyncio.Task[None]] = {run.id: cast("asyncio.Task[None]", None)}
    asyncio.run(runner._execute(run, ROWS, running))
    assert (running, caplog.records) == ({}, [])


def test_runs_that_a_dead_runner_left_are_crashed() -> None:
    client = Client()
    client.leftovers = [a_run(), a_run()]
    asyncio.run(runner._crash_leftovers(cast("PrefectClient", client), ROWS))
    assert client.states == {run.id: "Crashed" for run in client.leftovers}


def test_it_waits_for_the_api_and_ends_what_runs_when_it_is_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cancelled: list[str] = []
    began = asyncio.Event()

    async def execute(_flow: object, *, flow_run: FlowRun, **_: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(flow_run.name)
            raise

    async def deploy(*_: object) -> runner.Rows:
        return ROWS

    async def story() -> None:
        monkeypatch.setattr(runner, "get_client", lambda: Client([a_run("one")], unhealthy=2))
        monkeypatch.setattr(runner, "deploy", deploy)
        monkeypatch.setattr(runner, "run_flow_async", execute)
        monkeypatch.setattr(runner, "the_bench", lambda: SimpleNamespace(settings=limited(600)))
        serving = asyncio.create_task(runner._serve(asyncio.Event()))
        async with asyncio.timeout(20):
            await began.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(story())
    assert cancelled == ["one"]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == '{"state": "starting", "detail": "waiting for the Prefect API (ConnectionError)"}'
    assert said[-1] == '{"state": "ready", "deployments": ["discover-provider"]}'


def test_the_master_keys_that_come_on_standard_input_are_taken_in_turn(
    bench: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [b"wake\nmaster on", b"e\nmaster two\n", b""]
    taken: list[SecretStr] = []
    monkeypatch.setattr("os.read", lambda *_: said.pop(0))
    bench.custody = SimpleNamespace(take=taken.append)

    async def story() -> None:
        wake, stop, masters = asyncio.Event(), asyncio.Event(), asyncio.Queue[SecretStr]()
        runner._listen(asyncio.get_running_loop(), wake, stop, masters)
        renewing = asyncio.create_task(runner._renew(masters))
        async with asyncio.timeout(10):
            await stop.wait()
            while len(taken) < 2:  # noqa: ASYNC110 - what is waited for is another task's doing
                await asyncio.sleep(0)
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        assert wake.is_set()

    asyncio.run(story())
    assert taken == [SecretStr("one"), SecretStr("two")]
