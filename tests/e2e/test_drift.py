"""A change from the flow that finds it to all who are told: Prefect, an automation, the webhook, the feed, a person."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from modelscan.types import DriftEvent, DriftKind
from tests.drift.looks import change
from tests.drift.receiver import Receiver
from tests.e2e.service import CHECKOUT, Service, eventually

pytestmark = pytest.mark.prefect

MOVED = change(
    "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v2",
    kind=DriftKind.BASE_URL, field="base_url", model=None, provider="ghost",
)  # fmt: skip
WORSE = change("passed", "failed", kind=DriftKind.BEHAVIOUR, field="tool_call", model="echo", provider="demo")
IN_A_FLOW = """
import asyncio, sys
from prefect import flow
from modelscan.types import DriftEvent
from tasks.bench import the_bench
from tasks.drifting import tell

@flow(name="find-changes")
async def find_changes() -> None:
    await tell(the_bench(), [DriftEvent.model_validate_json(line) for line in sys.stdin])

asyncio.run(find_changes())
"""


def test_a_change_reaches_prefect_an_automation_the_webhook_the_feed_and_the_operator(
    service: Service, receiver: Receiver, tmp_path: Path
) -> None:
    service.add("demo/echo")
    service.wait_until_warm()
    prefect = str(service.health()["parts"]["prefect"]["detail"])
    automate(service)
    with listening(service) as heard:
        found_in_a_flow(service, prefect, tmp_path, MOVED, WORSE)
        eventually(lambda: len(heard) == 2, what="the feed")
        events = eventually(lambda: emitted(service), what="Prefect's events")
        assert {name: resource["prefect.resource.id"] for name, resource in events.items()} == {
            "modelscan.drift.base_url": "modelscan.provider.ghost",
            "modelscan.drift.behaviour": "modelscan.provider.demo",
        }
        assert eventually(lambda: started(service), what="the automation's run") == ["ghost"]
        eventually(lambda: len(receiver.told) == 2, what="the webhook")
        listed = json.loads(service.cli("changes", "--state", "held", "--json").stdout)
        (worse,) = (one["id"] for one in listed if one["provider"] == "demo")
        said = service.cli("changes", "approve", worse)
        assert "proved anew" in said.stdout, said.stderr
        discovery = re.findall(r"discovery (\w+)", said.stdout)[0]
        ended = service.api("GET", f"/api/discoveries/{discovery}?wait=60").json()
        assert (ended["identifier"], ended["state"], ended["error"]) == ("demo/echo", "succeeded", None)
        eventually(lambda: [one["event"]["state"] for one in heard][2:] == ["approved"], what="the verdict")
        eventually(lambda: [one["data"]["state"] for one in receiver.told] == ["held", "held", "approved"], what="it")


def automate(service: Service) -> None:
    """The automation of docs/drift.md, word by word, for the deployment that this service has."""
    said = re.findall(r"```yaml\n(name: prove.*?)```", (CHECKOUT / "docs" / "drift.md").read_text(), re.DOTALL)[0]
    deployment = service.prefect("GET", "/deployments/name/discover-provider/discover-provider")
    written = yaml.safe_load(said.replace("00000000-0000-0000-0000-000000000000", deployment["id"]))
    service.prefect("POST", "/automations/", json=written)


def found_in_a_flow(service: Service, prefect: str, folder: Path, *events: DriftEvent) -> None:
    """As a flow of the runner's tells what it found, in a process with the service's settings."""
    (folder / "find_changes.py").write_text(IN_A_FLOW)
    done = subprocess.run(
        [sys.executable, folder / "find_changes.py"], cwd=service.home, text=True, timeout=120,
        env={**service.environment, "PREFECT_API_URL": prefect, "PYTHONPATH": str(CHECKOUT)},
        input="\n".join(event.model_dump_json() for event in events), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def emitted(service: Service) -> dict[str, Any]:
    """Name -> resource of the changes that Prefect was told, once there are two."""
    asked = {"filter": {"event": {"prefix": ["modelscan.drift."]}}}
    events = service.prefect("POST", "/events/filter", json=asked)["events"]
    return {one["event"]: one["resource"] for one in events} if len(events) == 2 else {}


def started(service: Service) -> list[str]:
    """What the automation had discovered."""
    asked = {"flow_runs": {"deployment_id": {"is_null_": False}}, "limit": 100}
    runs = service.prefect("POST", "/flow_runs/filter", json=asked)
    return [one["parameters"]["identifier"] for one in runs if one["parameters"].get("identifier") == "ghost"]


@contextmanager
def listening(service: Service) -> Iterator[list[Any]]:
    """The data of the feed's events, as a client of server-sent events has them."""
    heard: list[Any] = []
    with httpx2.stream("GET", f"{service.url}/api/changes/stream", headers=service.admin, timeout=None) as answer:
        lines = answer.iter_lines()
        next(lines)

        def read() -> None:
            try:
                heard.extend(json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
            except (httpx2.StreamError, httpx2.TransportError):
                return

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        yield heard
