"""Settings and the Prefect UI both say when a flow runs, and neither undoes the other: against a real Prefect API."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from modelscan import __version__
from modelscan.settings import ScheduleSettings
from tasks.deploying import VARIABLE, Deployment, deploy
from tests.e2e.service import Service

pytestmark = pytest.mark.prefect


@flow(name="tidy-nothing")
async def tidy_nothing(days: int = 3) -> None:
    """Tidy nothing.

    Args:
        days: How many.
    """


class Desk:
    """The Prefect API of the service, with a deployment of the test's own."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client
        self.row = Deployment(tidy_nothing, f"tidy-{uuid.uuid4().hex}", "Tidy nothing.", schedule="maintain")

    async def start(self, cron: str) -> DeploymentResponse:
        """What a start of the service does with this setting; the deployment as it is then."""
        await deploy(self.client, [self.row], ScheduleSettings(maintain=cron))
        return await self.client.read_deployment_by_name(self.row.full_name)

    async def crons(self) -> dict[str, bool]:
        """The schedules' expressions, and whether each is active."""
        there = await self.client.read_deployment_by_name(self.row.full_name)
        schedules = [(one.schedule, one.active) for one in there.schedules]
        return {one.cron: active for one, active in schedules if isinstance(one, CronSchedule)}


async def a_setting_is_applied_where_it_changed(desk: Desk) -> None:
    await desk.start("1 1 * * *")
    assert await desk.crons() == {"1 1 * * *": True}
    await desk.start("2 2 * * *")
    assert await desk.crons() == {"2 2 * * *": True}
    await desk.start("off")
    assert await desk.crons() == {}
    await desk.start("3 3 * * *")
    assert await desk.crons() == {"3 3 * * *": True}


async def what_was_changed_paused_or_added_in_the_ui_outlives_a_start(desk: Desk) -> None:
    there = await desk.start("1 1 * * *")
    (ours,) = there.schedules
    await desk.client.update_deployment_schedule(there.id, ours.id, active=False)
    await desk.client.create_deployment_schedules(
        there.id, [DeploymentScheduleCreate(schedule=CronSchedule(cron="9 9 * * *"), slug="by-hand")]
    )
    await desk.start("1 1 * * *")
    assert await desk.crons() == {"1 1 * * *": False, "9 9 * * *": True}
    await desk.client.update_deployment_schedule(there.id, ours.id, schedule=CronSchedule(cron="5 5 * * *"))
    await desk.start("1 1 * * *")
    assert await desk.crons() == {"5 5 * * *": False, "9 9 * * *": True}
    await desk.start("2 2 * * *")  # The setting changed: it counts, and what was paused stays so.
    assert await desk.crons() == {"2 2 * * *": False, "9 9 * * *": True}
    await desk.client.delete_deployment_schedule(there.id, ours.id)
    await desk.start("2 2 * * *")
    assert await desk.crons() == {"9 9 * * *": True}


async def what_cannot_be_read_changes_nothing_and_is_applied_once_it_can(desk: Desk) -> None:
    await desk.start("1 1 * * *")
    await desk.start("99 99 * * *")
    assert await desk.crons() == {"1 1 * * *": True}
    await desk.start("2 2 * * *")
    assert await desk.crons() == {"2 2 * * *": True}


async def what_prefect_deploy_made_known_is_taken_over_with_its_schedule(desk: Desk) -> None:
    """As `prefect deploy` does: the schedule of prefect.yaml, and no variable."""
    default = ScheduleSettings().maintain
    flow_id = await desk.client.create_flow_from_name(desk.row.flow.name)
    by_hand = [DeploymentScheduleCreate(schedule=CronSchedule(cron="7 7 * * *"), slug="settings")]
    await desk.client.create_deployment(flow_id, desk.row.name, schedules=by_hand)
    await desk.start(default)
    assert await desk.crons() == {"7 7 * * *": True}


async def the_form_and_the_words_are_ours(desk: Desk) -> None:
    there = await desk.start("off")
    assert (there.description, there.tags, there.version) == ("Tidy nothing.", ["modelscan"], __version__)
    asked = (there.parameter_openapi_schema or {})["properties"]["days"]
    assert (asked["type"], asked["default"], asked["description"]) == ("integer", 3, "How many.")
    remembered = await desk.client.read_variable_by_name(VARIABLE)
    assert remembered
    assert isinstance(remembered.value, dict)
    assert remembered.value["discover-provider"] == "off"


async def maintain_removes_what_is_old_and_shows_what_is_left(desk: Desk) -> None:
    deployment = await desk.client.read_deployment_by_name("maintain/maintain")
    assert [one.slug for one in deployment.schedules] == ["settings"]
    run = await desk.client.create_flow_run_from_deployment(deployment.id)
    async with asyncio.timeout(90):
        while not (state := (await desk.client.read_flow_run(run.id)).state) or not state.is_final():  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    assert state.name == "Completed", state.message
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    (artifact,) = await desk.client.read_artifacts(artifact_filter=of_run)
    assert artifact.key == "maintenance"
    assert "| prefect | 0 flow runs" in str(artifact.data)


@pytest.mark.parametrize(
    "story",
    [
        a_setting_is_applied_where_it_changed,
        what_was_changed_paused_or_added_in_the_ui_outlives_a_start,
        what_cannot_be_read_changes_nothing_and_is_applied_once_it_can,
        what_prefect_deploy_made_known_is_taken_over_with_its_schedule,
        the_form_and_the_words_are_ours,
        maintain_removes_what_is_old_and_shows_what_is_left,
    ],
    ids=lambda story: story.__name__,
)
def test_schedules(service: Service, story: Callable[[Desk], Awaitable[None]]) -> None:
    service.wait_until_warm()

    async def told() -> None:
        async with PrefectClient(service.health()["parts"]["prefect"]["detail"]) as client:
            await story(Desk(client))

    asyncio.run(told())
