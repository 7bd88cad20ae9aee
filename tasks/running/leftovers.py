"""Runs that a runner of before was executing when it died: nobody else would ever tell their end."""

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import Crashed

__all__ = ["crash_leftovers", "our_pid"]

_MODULE = b"flows.runner"


def our_pid() -> str:
    """Names this process among those of all hosts, as Prefect's own workers do."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def crash_leftovers(client: PrefectClient, deployments: Iterable[UUID]) -> None:
    """Tell that they crashed; what another host's runner or worker executes is theirs to tell of."""
    busy = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
    ours = FlowRunFilterDeploymentId(any_=list(deployments))
    for run in await client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=ours, state=busy)):
        if _is_left(run.infrastructure_pid):
            state: State[None] = Crashed(message="The runner that executed it was killed: ask for it again.")
            await client.set_flow_run_state(run.id, state, force=True)


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
