"""prefect.yaml names what there is, and means the same deployment as the service's own runner."""

import importlib
import inspect
from pathlib import Path

import yaml
from prefect import Flow

from flows.discover import discover_provider

FILE = Path(__file__).resolve().parents[2] / "prefect.yaml"


def test_each_deployment_is_a_flow_whose_parameters_are_described() -> None:
    deployments = yaml.safe_load(FILE.read_text())["deployments"]
    assert [one["name"] for one in deployments] == ["discover-provider"]
    for one in deployments:
        module, _, name = one["entrypoint"].rpartition(".")
        found = getattr(importlib.import_module(module), name)
        assert isinstance(found, Flow)
        assert one["description"] == (found.description or "").splitlines()[0]
        described = inspect.getdoc(found.fn) or ""
        assert all(f"    {parameter}: " in described for parameter in inspect.signature(found.fn).parameters)


def test_the_ui_asks_for_what_the_flow_takes() -> None:
    asked = discover_provider.parameters
    assert list(asked.properties) == ["identifier", "base_url", "refresh", "deep"]
    assert asked.required == ["identifier"]
    assert all(field["description"] for field in asked.properties.values())
