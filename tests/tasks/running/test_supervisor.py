"""The supervisor goes on whatever becomes of one run, or of the Prefect API."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus, StateAcceptDetails, StateRejectDetails
from prefect.states import Pending, Running

from flows.deployments import DEPLOYMENTS
from modelscan.settings import DiscoverySettings, RunnerSettings, Settings
from tasks.running import supervisor as module
from tasks.running.forks import Fork, Forks
from tasks.running.supervisor import Supervisor
from tasks.running.zygote import Order

HERE = uuid4()
ROWS = {HERE: DEPLOYMENTS[0]}


class Client:
    """As much of Prefect's client as the supervisor uses."""

    def __init__(self) -> None:
        self.due: list[FlowRun] = []
        self.faults: list[Exception] = []
        """What the next calls raise."""
        self.states: dict[UUID, list[State[Any]]] = {}
        self.pids: dict[UUID, str] = {}
        self.taken: set[UUID] = set()
        """What another runner executes."""
        self.cancelled: list[UUID] = []
        self.tasks: dict[UUID, list[TaskRun]] = {}
        """Those of each run that go on."""

    def _fail(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    async def get_scheduled_flow_runs_for_deployments(self, deployments: list[UUID], before: datetime) -> list[FlowRun]:
        assert deployments == [HERE]
        assert before <= datetime.now(UTC)
        self._fail()
        return list(self.due)

    async def update_flow_run(self, run_id: UUID, infrastructure_pid: str) -> None:
        self._fail()
        self.pids[run_id] = infrastructure_pid

    async def set_flow_run_state(
        self, run_id: UUID, state: State[Any], force: bool = False
    ) -> OrchestrationResult[Any]:
        self._fail()
        self.due = [run for run in self.due if run.id != run_id]
        self.states.setdefault(run_id, []).append(state)
        if not force and run_id in self.taken:
            refused = StateRejectDetails(reason="another has it")
            return OrchestrationResult(state=Running(), status=SetStateStatus.REJECT, details=refused)
        return OrchestrationResult(state=state, status=SetStateStatus.ACCEPT, details=StateAcceptDetails())

    async def read_task_runs(self, *, flow_run_filter: Any, task_run_filter: Any, limit: int) -> list[TaskRun]:
        assert task_run_filter.state.type.any_
        assert limit
        return self.tasks.get(flow_run_filter.id.any_[0], [])

    async def set_task_run_state(self, task_run_id: UUID, state: State[Any], force: bool) -> None:
        assert force
        self.states.setdefault(task_run_id, []).append(state)

    async def read_flow_runs(self, flow_run_filter: Any) -> list[FlowRun]:
        self._fail()
        asked = flow_run_filter.id.any_
        return [FlowRun(id=run_id, flow_id=uuid4(), name="x") for run_id in self.cancelled if run_id in asked]


class Zygote:
    """Forks nothing: each run lasts until the test ends it."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.forks: dict[str, Fork] = {}

    def begin(self, order: Order) -> Fork:
        self.orders.append(order)
        fork = self.forks[order.id] = Fork(cast("Forks", self), order.id, -1)
        fork.tell = lambda line: fork.ended.set_result(78 << 8)  # type: ignore[method-assign]
        return fork

    def kill(self, id_: str) -> None:
        raise AssertionError(id_)

    def end(self, run: FlowRun, status: int = 0) -> None:
        self.forks[str(run.id)].ended.set_result(status)


class Desk:
    """A supervisor with the fakes around it."""

    def __init__(self, seconds: float = 60) -> None:
        self.client, self.zygote, self.wake = Client(), Zygote(), asyncio.Event()
        settings = Settings(
            discovery=DiscoverySettings(run_seconds=seconds), runner=RunnerSettings(parallel_runs=2, memory_mb=300)
        )
        forks = cast("Forks", self.zygote)
        self.supervisor = Supervisor(cast("PrefectClient", self.client), ROWS, forks, settings)
        self.running = asyncio.create_task(self.supervisor.run(self.wake))

    def add(self, name: str = "discover demo/echo", **more: Any) -> FlowRun:
        parameters = {"identifier": "demo/echo"}
        run = FlowRun(flow_id=uuid4(), name=name, parameters=parameters, deployment_id=HERE, **more)
        self.client.due.append(run)
        self.wake.set()
        return run

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - what is waited for is another task's doing
                await asyncio.sleep(0.005)

    def last(self, run: FlowRun) -> State[Any] | None:
        states = self.client.states.get(run.id)
        return states[-1] if states else None

    async def begun(self, *runs: FlowRun) -> None:
        await self.until(lambda: all(str(run.id) in self.zygote.forks for run in runs))

    async def ended(self, run: FlowRun, name: str) -> State[Any]:
        await self.until(lambda: (last := self.last(run)) and last.name == name)
        last = self.last(run)
        assert last
        return last


async def what_is_due_is_claimed_and_executed_once(desk: Desk) -> None:
    desk.client.faults.append(httpx.ConnectError("refused"))
    run = desk.add()
    await desk.begun(run)
    assert [state.name for state in desk.client.states[run.id]] == ["Pending"]
    assert desk.client.pids[run.id]
    (order,) = desk.zygote.orders
    assert (order.deployment, order.memory_bytes) == ("discover-provider", 300 * 2**20)
    assert FlowRun.model_validate(order.run).parameters == run.parameters
    desk.client.due.append(run)  # The API has not heard yet that it runs.
    desk.wake.set()
    later = desk.add("later")
    await desk.begun(later)
    desk.zygote.end(run)
    desk.zygote.end(later)
    assert len(desk.zygote.orders) == 2


async def no_more_than_so_many_run_at_once(desk: Desk) -> None:
    runs = [desk.add(str(number)) for number in range(3)]
    await desk.begun(*runs[:2])
    await desk.until(lambda: not desk.wake.is_set())
    assert str(runs[2].id) not in desk.zygote.forks
    desk.zygote.end(runs[0])
    await desk.begun(runs[2])


async def what_another_runner_was_quicker_to_take_is_left_to_it(desk: Desk) -> None:
    run = desk.add()
    desk.client.taken.add(run.id)
    await desk.until(lambda: run.id in desk.client.states)
    other = desk.add()
    await desk.begun(other)
    assert str(run.id) not in desk.zygote.forks


async def a_run_that_dies_is_told_as_crashed_and_the_others_go_on(desk: Desk) -> None:
    run, other = desk.add("one"), desk.add("two")
    await desk.begun(run, other)
    task = TaskRun(flow_run_id=run.id, task_key="probe", dynamic_key="0")
    desk.client.tasks[run.id] = [task]
    desk.client.faults += [httpx.ConnectError("refused")] * 4  # However often another look comes in between.
    desk.zygote.end(run, signal.SIGSEGV)
    assert "SIGSEGV" in str((await desk.ended(run, "Crashed")).message)
    await desk.until(lambda: task.id in desk.client.states)
    assert [state.name for state in desk.client.states[task.id]] == ["Crashed"]
    assert not desk.zygote.forks[str(other.id)].ended.done()


async def what_somebody_cancelled_is_stopped_and_told_so(desk: Desk) -> None:
    run, other = desk.add("one"), desk.add("two")
    await desk.begun(run, other)
    desk.client.faults.append(httpx.ReadTimeout("slow"))
    desk.client.cancelled.append(run.id)
    await desk.ended(run, "Cancelled")
    assert not desk.zygote.forks[str(other.id)].ended.done()


async def the_end_of_the_runner_ends_what_runs(desk: Desk) -> None:
    run = desk.add()
    await desk.begun(run)
    await desk.supervisor.stop()
    assert "ask for it again" in str((await desk.ended(run, "Crashed")).message)


async def of_a_schedule_one_run_goes_on_at_once_and_those_that_were_missed_are_none(desk: Desk) -> None:
    early, late = (
        desk.add(f"{hour}", auto_scheduled=True, next_scheduled_start_time=datetime(2026, 1, 1, hour, tzinfo=UTC))
        for hour in (1, 2)
    )
    await desk.begun(late)
    assert [state.name for state in desk.client.states[early.id]] == ["Missed"]
    again = desk.add(auto_scheduled=True, next_scheduled_start_time=datetime(2026, 1, 1, 3, tzinfo=UTC))
    asked = desk.add("by hand")
    await desk.begun(asked)
    assert str(again.id) not in desk.zygote.forks
    desk.zygote.end(late)
    desk.zygote.end(asked)
    await desk.begun(again)


async def a_run_that_cannot_be_begun_takes_no_place(desk: Desk) -> None:
    begin, faults = desk.zygote.begin, [OSError("gone")]

    def broken(order: Order) -> Fork:
        if faults:
            raise faults.pop()
        return begin(order)

    desk.zygote.begin = broken  # type: ignore[method-assign]
    desk.add()
    await desk.until(lambda: not faults)
    runs = [desk.add(), desk.add()]
    await desk.begun(*runs)


STORIES: Sequence[Callable[[Desk], Awaitable[None]]] = (
    what_is_due_is_claimed_and_executed_once,
    no_more_than_so_many_run_at_once,
    what_another_runner_was_quicker_to_take_is_left_to_it,
    a_run_that_dies_is_told_as_crashed_and_the_others_go_on,
    what_somebody_cancelled_is_stopped_and_told_so,
    the_end_of_the_runner_ends_what_runs,
    of_a_schedule_one_run_goes_on_at_once_and_those_that_were_missed_are_none,
    a_run_that_cannot_be_begun_takes_no_place,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(module, "_TELL_SECONDS", (0.01,) * 5)
    monkeypatch.setattr("os.close", lambda _: None)


async def told(story: Callable[[Desk], Awaitable[None]], seconds: float = 60) -> None:
    desk = Desk(seconds)
    try:
        await story(desk)
    finally:
        desk.client.faults.clear()
        desk.running.cancel()
        await asyncio.gather(desk.running, return_exceptions=True)
        await desk.supervisor.stop()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_supervisor(story: Callable[[Desk], Awaitable[None]]) -> None:
    asyncio.run(told(story))


def test_a_prefect_that_is_gone_does_not_hold_up_the_end_of_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.1)
    monkeypatch.setattr(module, "_TELL_SECONDS", (3600,))

    async def story(desk: Desk) -> None:
        run = desk.add()
        await desk.begun(run)
        desk.client.faults += [httpx.ConnectError("refused")] * 10_000
        async with asyncio.timeout(20):
            await desk.supervisor.stop()
        assert [state.name for state in desk.client.states[run.id]] == ["Pending"]

    asyncio.run(told(story))


def test_a_run_that_takes_too_long_is_stopped_and_told_so() -> None:
    async def story(desk: Desk) -> None:
        run = desk.add()
        assert "0.05 s" in str((await desk.ended(run, "TimedOut")).message)

    asyncio.run(told(story, seconds=0.05))


def test_an_end_that_cannot_be_told_is_left_to_the_next_start() -> None:
    async def story(desk: Desk) -> None:
        run = desk.add()
        await desk.begun(run)
        desk.running.cancel()
        desk.client.faults += [httpx.ConnectError("refused")] * 6
        desk.zygote.end(run, 1 << 8)
        await desk.until(lambda: not desk.client.faults and not desk.supervisor._running)
        last = desk.last(run)
        assert last
        assert last.name == Pending().name

    asyncio.run(told(story))
