"""Runs that nobody executes any more are told as crashed."""

import asyncio
import os
import socket
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, TaskRun

from flows.deployments import DEPLOYMENTS
from tasks.deploying import Deployment
from tasks.running import leftovers
from tasks.running.leftovers import our_pid, settle_leftovers

HERE = socket.gethostname()
DISCOVER, LOOK = uuid4(), uuid4()


def row(name: str) -> Deployment:
    return next(one for one in DEPLOYMENTS if one.name == name)


async def settled(client: "Client") -> None:
    await settle_leftovers(
        cast("PrefectClient", client), {DISCOVER: row("discover-provider"), LOOK: row("rediscover-catalog")}
    )


class Client:
    def __init__(self, *pids: str | None) -> None:
        self.runs = [FlowRun(flow_id=uuid4(), deployment_id=DISCOVER, infrastructure_pid=pid) for pid in pids]
        self.states: dict[UUID, str | None] = {}
        self.names: list[str | None] = []
        self.tasks: list[TaskRun] = []
        """Of each run, those that went on."""
        self.ended: list[UUID] = []

    async def read_flow_runs(self, flow_run_filter: Any) -> list[FlowRun]:
        assert flow_run_filter.state.type.any_
        return self.runs

    async def set_flow_run_state(self, run_id: UUID, state: State[Any], force: bool) -> None:
        assert force
        self.states[run_id] = state.message
        self.names.append(state.name)

    async def read_task_runs(self, **_: Any) -> list[TaskRun]:
        return self.tasks

    async def set_task_run_state(self, task_run_id: UUID, state: State[Any], force: bool) -> None:
        assert force
        assert state.is_crashed()
        self.ended.append(task_run_id)


@pytest.mark.parametrize(
    "pid",
    [None, "", f"{HERE}:999999999", f"{HERE}:x", f"{HERE}:{os.getppid()}"],
    ids=["none", "empty", "no process", "no number", "another program"],
)
def test_a_run_whose_runner_is_gone_has_crashed(pid: str | None) -> None:
    client = Client(pid)
    asyncio.run(settled(client))
    assert client.states == {client.runs[0].id: "The runner that executed it was killed: ask for it again."}


def test_the_tasks_of_such_a_run_do_not_go_on_for_ever() -> None:
    client = Client(None)
    client.tasks = [TaskRun(flow_run_id=client.runs[0].id, task_key="probe", dynamic_key="0")]
    asyncio.run(settled(client))
    assert client.ended == [client.tasks[0].id]


@pytest.mark.parametrize("pid", [our_pid(), "elsewhere:1"], ids=["this runner", "another host"])
def test_a_run_of_this_runner_or_of_another_host_is_left_alone(pid: str) -> None:
    client = Client(pid)
    asyncio.run(settled(client))
    assert client.states == {}


def test_a_run_of_another_runner_here_is_its_own_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_MODULE", b"python")
    client = Client(f"{HERE}:{os.getppid()}")
    with open(f"/proc/{os.getppid()}/cmdline", "rb") as file:
        expected = {} if b"python" in file.read() else {client.runs[0].id: "The runner"}
    asyncio.run(settled(client))
    assert client.states.keys() == expected.keys()


@pytest.mark.parametrize(("times", "name"), [(1, "Resuming"), (2, "Resuming"), (3, "Crashed")])
def test_a_run_that_can_go_on_is_executed_again_unless_it_may_be_what_kills_its_runner(times: int, name: str) -> None:
    client = Client(None)
    client.runs = [FlowRun(flow_id=uuid4(), deployment_id=LOOK, run_count=times)]
    asyncio.run(settled(client))
    assert client.names == [name]
