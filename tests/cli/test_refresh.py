"""`modelscan refresh` follows the run, and says in a line what came of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelscan.cli import refresh as module
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run

BEGUN = {"id": "r1", "flow": "rediscover-catalog", "state": "queued", "detail": "", "percent": 0.0, "summary": ""}
SUMMARY = "# 148 providers looked at, 2205 changes, 2 held\n\n## What changed"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)


def api(*states: tuple[int, Any]) -> AdminApi:
    return AdminApi({"POST /api/refresh": [(202, BEGUN)], "GET /api/refresh/r1": list(states)})


def test_it_is_followed_to_its_end(run: Run, home: Path) -> None:
    running, done = {**BEGUN, "state": "running", "percent": 50.0}, {**BEGUN, "state": "succeeded", "summary": SUMMARY}
    with served(api((200, running), (503, {"code": "service-unavailable"}), (200, done)), home / "data") as told:
        found = run("refresh", "--prices", "--all")
    assert found.exit_code == 0
    assert "148 providers looked at, 2205 changes, 2 held." in found.output
    assert "modelscan changes --state held" in found.output
    assert told.requests[0][1] == {"prices": True, "all": True}


def test_where_nothing_changed_nothing_is_to_be_done(run: Run, home: Path) -> None:
    done = {**BEGUN, "state": "succeeded", "summary": "# 148 providers looked at, 0 changes"}
    with served(api((200, done)), home / "data"):
        found = run("refresh")
    assert found.output.splitlines()[-1] == "148 providers looked at, 0 changes."


def test_a_run_that_failed_says_why_and_what_to_do(run: Run, home: Path) -> None:
    failed = {**BEGUN, "state": "failed", "detail": "No list could be read."}
    with served(api((200, failed)), home / "data"):
        found = run("refresh")
        as_json = run("refresh", "--json")
    assert (found.exit_code, as_json.exit_code) == (1, 1)
    assert "failed: No list could be read." in found.output
    assert json.loads(as_json.stdout)["state"] == "failed"


def test_a_service_that_stays_away_is_an_error(run: Run, home: Path) -> None:
    with served(api((503, {"code": "service-unavailable", "detail": "It is gone."})), home / "data"):
        assert run("refresh").exit_code == 1
