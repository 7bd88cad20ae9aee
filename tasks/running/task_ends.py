"""The tasks of a run whose process is gone: nobody else tells that they go on no more."""

from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

__all__ = ["end_tasks"]

_OPEN = [StateType.RUNNING, StateType.PENDING]
_MOST = 200
"""Of one answer, and of one run: more are not told of one by one."""


async def end_tasks(client: PrefectClient, run: UUID) -> int:
    """Tell that the tasks of `run` crashed that had begun and not ended; returns how many."""
    found = await client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])),
        task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_OPEN))),
        limit=_MOST,
    )
    for task in found:
        await client.set_task_run_state(task.id, Crashed(message="The process of its run ended before it."), force=True)
    return len(found)
