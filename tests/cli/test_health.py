"""`modelscan health`, against a stand-in for the service."""

import json
from pathlib import Path
from typing import Any

from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run

EVIDENCE = {"source": "traffic", "at": "2026-11-27T12:05:00Z", "words": "6 of 12 requests failed in the last 5 min"}
DOWN: dict[str, Any] = {"provider": "acme", "state": "down", "since": "2026-11-27T12:00:00Z", "evidence": EVIDENCE}
NEW: dict[str, Any] = {"provider": "bolt", "state": "unknown", "since": "2026-11-27T12:00:01Z", "evidence": None}
CHANGE = {"provider": "acme", "before": "up", "after": "down", "at": "2026-11-27T12:00:00Z", "evidence": EVIDENCE}


def test_all_are_listed_with_since_when_and_why(run: Run, home: Path) -> None:
    with served(AdminApi({"GET /api/health/providers": [(200, [DOWN, NEW])]}), home / "data"):
        table, whole = run("health"), run("health", "--json")
    assert "2026-11-27 12:00:00Z" in table.stdout
    assert "6 of 12 requests failed" in table.stdout
    assert json.loads(whole.stdout) == [DOWN, NEW]


def test_one_is_told_in_sentences(run: Run, home: Path) -> None:
    api = AdminApi({"GET /api/health/providers/acme": [(200, DOWN)]})
    with served(api, home / "data"):
        said, whole = run("health", "acme"), run("health", "acme", "--json")
    assert "acme is down since 2026-11-27 12:00:00Z." in said.stdout
    assert "By requests of callers at 2026-11-27 12:05:00Z: 6 of 12 requests failed" in said.stdout
    assert json.loads(whole.stdout) == DOWN


def test_of_whom_nothing_was_seen_that_is_said(run: Run, home: Path) -> None:
    unlooked = {**NEW, "since": None}
    with served(AdminApi({"GET /api/health/providers/bolt": [(200, unlooked)]}), home / "data"):
        said = run("health", "bolt").stdout
    assert "bolt is unknown." in said
    assert "Nothing was seen of it yet." in said


def test_what_changed_is_a_history(run: Run, home: Path) -> None:
    answers: dict[str, list[tuple[int, Any]]] = {
        "GET /api/health/history?provider=acme": [(200, [CHANGE])],
        "GET /api/health/history": [(200, [])],
    }
    with served(AdminApi(answers), home / "data"):
        one, none = run("health", "acme", "--history"), run("health", "--history")
    assert "became" in one.stdout
    assert "6 of 12" in one.stdout
    assert "No state has changed yet." in none.stderr
