"""What becomes of runs that a schedule asked for while nobody was there to execute them."""

from collections.abc import Iterable
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled

__all__ = ["MISSED", "newest"]

MISSED: State[None] = Cancelled(
    name="Missed", message="Nobody executed it when it was due; the run that was due last stands for it."
)


def newest(due: Iterable[FlowRun]) -> tuple[list[FlowRun], list[FlowRun]]:
    """Those to execute, and those that were missed: of a deployment's scheduled runs all but the one that is due last.

    What a person or a program asked for is never missed, and neither is a run that was executed before, and waits for
    its next try or was resumed.
    """
    last: dict[UUID | None, FlowRun] = {}
    execute, missed = list[FlowRun](), list[FlowRun]()
    for run in sorted(due, key=_time):
        if not run.auto_scheduled or run.run_count:
            execute.append(run)
            continue
        if before := last.get(run.deployment_id):
            missed.append(before)
        last[run.deployment_id] = run
    return [*execute, *last.values()], missed


def _time(run: FlowRun) -> float:
    at = run.next_scheduled_start_time or run.expected_start_time
    return at.timestamp() if at else 0.0
