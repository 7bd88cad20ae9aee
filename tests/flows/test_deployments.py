"""prefect.yaml names what there is, and means the same deployments as the service's own runner."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.deployments import DEPLOYMENTS
from flows.discover import discover_provider
from modelscan import __version__
from modelscan.settings import ScheduleSettings, Settings
from tasks.deploying import SLUG, Deployment

FILE = Path(__file__).resolve().parents[2] / "prefect.yaml"


def section(row: Deployment) -> dict[str, Any]:
    """As prefect.yaml should have it."""
    cron = getattr(ScheduleSettings(), row.schedule) if row.schedule else None
    return {
        "name": row.name,
        "description": row.description,
        "entrypoint": row.entrypoint,
        "version": __version__,
        "tags": list(row.tags),
        "parameters": {},
        "schedules": [{"cron": cron, "timezone": "UTC", "slug": SLUG}] if cron else [],
        "work_pool": {"name": "modelscan"},
    }


def test_prefect_yaml_says_what_the_runner_makes_known() -> None:
    assert yaml.safe_load(FILE.read_text())["deployments"] == [section(row) for row in DEPLOYMENTS]


@pytest.mark.parametrize("row", DEPLOYMENTS, ids=lambda row: row.name)
def test_each_deployment_is_a_flow_whose_parameters_are_described(row: Deployment) -> None:
    module, _, name = row.entrypoint.rpartition(".")
    assert getattr(importlib.import_module(module), name) is row.flow
    assert row.description == (row.flow.description or "").splitlines()[0]
    assert "modelscan" in row.tags
    form = row.flow.parameters.properties
    assert list(form) == list(inspect.signature(row.flow.fn).parameters)
    assert [name for name, field in form.items() if not field.get("description")] == []


def test_a_run_over_the_whole_catalogue_may_take_longer() -> None:
    row = DEPLOYMENTS[0]
    assert row.seconds(Settings()) == Settings().discovery.run_seconds
    assert row._replace(whole_catalogue=True).seconds(Settings()) == Settings().runner.catalogue_seconds


def test_the_ui_asks_for_what_the_flow_takes() -> None:
    asked = discover_provider.parameters
    assert list(asked.properties) == ["identifier", "base_url", "refresh", "deep"]
    assert asked.required == ["identifier"]
    assert asked.properties["identifier"]["examples"] == ["deepseek/deepseek-chat"]
