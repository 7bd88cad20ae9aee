"""Runs that nobody executes any more are told as crashed."""

import asyncio
import os
import socket
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State

from tasks.running import leftovers
from tasks.running.leftovers import crash_leftovers, our_pid

HERE = socket.gethostname()


class Client:
    def __init__(self, *pids: str | None) -> None:
        self.runs = [FlowRun(flow_id=uuid4(), infrastructure_pid=pid) for pid in pids]
        self.states: dict[UUID, str | None] = {}

    async def read_flow_runs(self, flow_run_filter: Any) -> list[FlowRun]:
        assert flow_run_filter.state.type.any_
        return self.runs

    async def set_flow_run_state(self, run_id: UUID, state: State[Any], force: bool) -> None:
        assert force
        self.states[run_id] = state.message


@pytest.mark.parametrize("pid", [None, "", f"{HERE}:999999999", f"{HERE}:x", f"{HERE}:{os.getppid()}"])
def test_a_run_whose_runner_is_gone_has_crashed(pid: str | None) -> None:
    client = Client(pid)
    asyncio.run(crash_leftovers(cast("PrefectClient", client), [uuid4()]))
    assert client.states == {client.runs[0].id: "The runner that executed it was killed: ask for it again."}


@pytest.mark.parametrize("pid", [our_pid(), "elsewhere:1"])
def test_a_run_of_this_runner_or_of_another_host_is_left_alone(pid: str) -> None:
    client = Client(pid)
    asyncio.run(crash_leftovers(cast("PrefectClient", client), [uuid4()]))
    assert client.states == {}


def test_a_run_of_another_runner_here_is_its_own_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_MODULE", b"python")
    client = Client(f"{HERE}:{os.getppid()}")
    with open(f"/proc/{os.getppid()}/cmdline", "rb") as file:
        expected = {} if b"python" in file.read() else {client.runs[0].id: "The runner"}
    asyncio.run(crash_leftovers(cast("PrefectClient", client), [uuid4()]))
    assert client.states.keys() == expected.keys()
