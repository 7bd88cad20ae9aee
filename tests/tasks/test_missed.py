"""Of what a schedule asked for while nobody was there, one run is executed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import FlowRun

from tasks.missed import newest

HERE, THERE = uuid4(), uuid4()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_run(hours: int, deployment: UUID = HERE, *, auto_scheduled: bool = True, run_count: int = 0) -> FlowRun:
    due = NOON + timedelta(hours=hours)
    return FlowRun(
        flow_id=uuid4(),
        deployment_id=deployment,
        name=f"{hours}",
        next_scheduled_start_time=due,
        auto_scheduled=auto_scheduled,
        run_count=run_count,
    )


def test_the_one_that_was_due_last_stands_for_those_before_it() -> None:
    runs = [a_run(2), a_run(1), a_run(3), a_run(1, THERE)]
    execute, missed = newest(runs)
    assert {run.id for run in execute} == {runs[2].id, runs[3].id}
    assert [run.id for run in missed] == [runs[1].id, runs[0].id]


def test_what_somebody_asked_for_or_what_goes_on_is_never_missed() -> None:
    runs = [a_run(1, auto_scheduled=False), a_run(2, auto_scheduled=False), a_run(3, run_count=1), a_run(4)]
    execute, missed = newest(runs)
    assert ({run.id for run in execute}, missed) == ({run.id for run in runs}, [])


@given(st.lists(st.builds(a_run, st.integers(-50, 50), st.sampled_from([HERE, THERE]), auto_scheduled=st.booleans())))
def test_each_run_is_either_executed_or_missed_and_each_deployment_has_one_left(runs: list[FlowRun]) -> None:
    execute, missed = newest(runs)
    assert sorted(run.id for run in (*execute, *missed)) == sorted(run.id for run in runs)
    left = [run.deployment_id for run in execute if run.auto_scheduled]
    assert sorted(map(str, left)) == sorted({str(run.deployment_id) for run in runs if run.auto_scheduled})
