"""Runs that a runner of before was executing when it died: nobody else would ever take them up, or tell their end."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Crashed, Scheduled

from tasks.deploying import Deployment
from tasks.running.task_ends import end_tasks

__all__ = ["our_pid", "settle_leftovers"]

_MODULE = b"flows.runner"
_MOST_TIMES = 3
"""A run that is executed so often without an end may be what kills its runner."""


def our_pid() -> str:
    """Names this process among those of all hosts, as Prefect's own workers do."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def settle_leftovers(client: PrefectClient, deployments: Mapping[UUID, Deployment]) -> None:
    """Have those that can go on executed again, and tell that the others crashed.

    What another host's runner or worker executes is theirs to tell of.
    """
    busy = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
    ours = FlowRunFilterDeploymentId(any_=list(deployments))
    for run in await client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=ours, state=busy)):
        if _is_left(run.infrastructure_pid):
            await end_tasks(client, run.id)  # Before another runner may take it up, with tasks of its own.
            await client.set_flow_run_state(run.id, _state_of(run, deployments), force=True)


def _state_of(run: FlowRun, deployments: Mapping[UUID, Deployment]) -> State[None]:
    row = deployments.get(run.deployment_id) if run.deployment_id else None
    if row and row.goes_on and run.run_count < _MOST_TIMES:
        return Scheduled(name="Resuming", message="The runner that executed it was killed: it goes on where it was.")
    return Crashed(message="The runner that executed it was killed: ask for it again.")


def _is_left(pid: str | None) -> bool:
    """Whether the runner of that name is gone; one without a name was none of today's."""
    if not pid:
        return True
    host, _, number = pid.rpartition(":")
    if host != socket.gethostname() or number == str(os.getpid()):
        return False
    try:
        return _MODULE not in Path(f"/proc/{int(number)}/cmdline").read_bytes()
    except (OSError, ValueError):
        return True
