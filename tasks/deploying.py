"""Makes deployments known to Prefect, and keeps what the settings and the Prefect UI each say of their schedules."""

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    VariableCreate,
    VariableUpdate,
)
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from modelscan import __version__
from modelscan.settings import NO_SCHEDULE, ScheduleSettings, Settings

__all__ = ["SLUG", "VARIABLE", "Deployment", "deploy"]

SLUG = "settings"
"""Marks, of a deployment's schedules, the one that the settings gave it."""
VARIABLE = "modelscan_schedules"
"""The Prefect variable that holds what the settings said when they were last applied: deployment -> cron."""
_log = logging.getLogger(__name__)


class Deployment(NamedTuple):
    """A flow that can be asked for by its name, in the Prefect UI and over its API."""

    flow: Flow[..., Any]
    name: str
    description: str
    tags: tuple[str, ...] = ("modelscan",)
    schedule: str = ""
    """The setting `schedules.<schedule>` says when it runs by itself; empty: it runs on demand alone."""
    whole_catalogue: bool = False
    """Whether a run may take `runner.catalogue_seconds`, where others have `discovery.run_seconds`."""
    goes_on: bool = False
    """Whether a run whose runner was killed is executed again: it does not repeat what it had finished."""

    def seconds(self, settings: Settings) -> float:
        """How long one run of it may take."""
        return settings.runner.catalogue_seconds if self.whole_catalogue else settings.discovery.run_seconds

    @property
    def seconds_setting(self) -> str:
        """The setting that says so."""
        return "runner.catalogue_seconds" if self.whole_catalogue else "discovery.run_seconds"

    @property
    def entrypoint(self) -> str:
        """As prefect.yaml has it: the module and the name of the flow in it."""
        function: Any = self.flow.fn
        return f"{function.__module__}.{function.__name__}"

    @property
    def full_name(self) -> str:
        """As Prefect's API finds it."""
        return f"{self.flow.name}/{self.name}"


async def deploy(
    client: PrefectClient, deployments: Iterable[Deployment], schedules: ScheduleSettings
) -> dict[UUID, Deployment]:
    """Make all known; returns them by Prefect's ids.

    A schedule is touched only where its setting says something else than when it was last applied: what was paused,
    changed or added in the UI stays, and so does a setting that the UI has nothing against.
    """
    known = await client.read_variable_by_name(VARIABLE)
    applied: dict[str, str] = dict(known.value) if known and isinstance(known.value, dict) else {}
    found: dict[UUID, Deployment] = {}
    said = dict(applied)
    for row in deployments:
        cron = getattr(schedules, row.schedule) if row.schedule else NO_SCHEDULE
        there = await _there(client, row)
        found[there.id] = row
        before = applied.get(row.name, _default(row) if there.schedules else NO_SCHEDULE)
        if before == cron or await _schedule(client, there, row, cron):
            said[row.name] = cron
    if known is None:
        await client.create_variable(VariableCreate(name=VARIABLE, value=said, tags=["modelscan"]))
    elif said != applied:
        await client.update_variable(VariableUpdate(name=VARIABLE, value=said))
    return found


async def _there(client: PrefectClient, row: Deployment) -> DeploymentResponse:
    """The deployment as it is once its description, tags, version and form are ours; its schedules as they were."""
    told: dict[str, Any] = {
        "version": __version__,
        "description": row.description,
        "tags": list(row.tags),
        "entrypoint": row.entrypoint,
        "parameter_openapi_schema": row.flow.parameters.model_dump(),
        "enforce_parameter_schema": True,
    }
    try:
        there = await client.read_deployment_by_name(row.full_name)
        await client.update_deployment(there.id, DeploymentUpdate(**told))
    except ObjectNotFound:
        flow_id = await client.create_flow_from_name(row.flow.name)
        await client.create_deployment(flow_id, row.name, **told)
        there = await client.read_deployment_by_name(row.full_name)
    return there


def _default(row: Deployment) -> str:
    """What prefect.yaml says: schedules of a deployment that was never applied to came from there, or from the UI."""
    return str(getattr(ScheduleSettings(), row.schedule)) if row.schedule else NO_SCHEDULE


async def _schedule(client: PrefectClient, there: DeploymentResponse, row: Deployment, cron: str) -> bool:
    """Have the settings' own schedule be `cron`; false where Prefect cannot read that, and nothing was changed."""
    try:
        schedule = None if cron == NO_SCHEDULE else CronSchedule(cron=cron, timezone="UTC")
    except ValueError as error:
        _log.error("schedules.%s is no cron expression (%s): its schedule stays as it is", row.schedule, error)
        return False
    ours: DeploymentSchedule | None = next((one for one in there.schedules if one.slug == SLUG), None)
    if ours and schedule:
        await client.update_deployment_schedule(there.id, ours.id, schedule=schedule)
    elif ours:
        await client.delete_deployment_schedule(there.id, ours.id)
    elif schedule:
        await client.create_deployment_schedules(there.id, [DeploymentScheduleCreate(schedule=schedule, slug=SLUG)])
    return True
