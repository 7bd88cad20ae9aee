"""`modelscan versions`, `activate`, `rollback` and `canary`, with the service down and up."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelscan.catalog import canaries, versions
from modelscan.catalog.database import Database
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run
from tests.cli.published import publish


@pytest.fixture
def database(home: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Of a data directory in which `demo` has two versions."""
    monkeypatch.setenv("MODELSCAN_DATA_DIR", str(home / "data"))
    for name in ("One", "Two"):
        publish(home, name=name)
    return Database(home / "data" / "modelscan.duckdb")


def active(database: Database) -> int:
    return versions.active_of(database, "demo").version


def test_the_versions_are_listed_with_what_they_changed_and_what_was_done(run: Run, database: Database) -> None:
    assert run("rollback", "demo", "--reason", "two is worse").exit_code == 0
    assert "gone" not in run("versions").stdout
    shown = run("versions", "demo").stdout
    assert "name: One → Two" in shown
    assert "two is worse" in shown
    told = json.loads(run("versions", "demo", "--json").stdout)
    assert [(one["version"]["version"], one["state"]) for one in told["versions"]] == [(2, "kept"), (1, "active")]
    assert [one["kind"] for one in told["history"]] == ["rolled-back", "published", "published"]
    assert len(json.loads(run("versions", "--json").stdout)) == 2


def test_what_is_not_published_has_no_versions(run: Run, database: Database) -> None:
    assert "modelscan add nobody" in run("versions", "nobody").stderr


def test_an_empty_catalogue_says_what_to_do(run: Run, home: Path) -> None:
    assert "modelscan add demo/echo" in run("versions").stderr
    assert run("activate", "demo", "1").exit_code == 1


def test_without_a_service_a_version_is_served_from_the_next_start_on(run: Run, database: Database) -> None:
    done = run("activate", "demo", "1")
    assert done.stdout == "Version 1 of demo is served, from the next start on. See: modelscan versions demo\n"
    assert active(database) == 1
    assert "Version 2 of demo is served again" in run("rollback", "demo", "--to", "2").stdout
    assert (run("activate", "demo", "7").exit_code, active(database)) == (1, 2)


def test_a_version_is_tried_and_the_trial_ended(run: Run, database: Database) -> None:
    done = run("canary", "demo", "1", "--share", "5%", "--error-rate", "0.1", "--requests", "7", "--minutes", "2")
    assert done.stdout.startswith("5.0% of the requests for demo ask version 1 first")
    (trial,) = canaries.canaries(database)
    assert (trial.version, trial.share, trial.margin, trial.requests, trial.minutes) == (1, 0.05, 0.1, 7, 2)
    shown = " ".join(run("versions", "demo").stdout.split())
    assert "Version 1 is asked first by 5.0% of the requests" in shown
    assert "0 of 0 failed" in shown
    assert "version 2 alone is served" in run("canary", "demo", "--stop").stdout
    assert canaries.canaries(database) == ()


@pytest.mark.parametrize(
    "arguments", [["1", "--share", "many"], ["1", "--share", "120%"], ["1", "--share", "0"], ["1", "--stop"], []]
)
def test_a_trial_that_makes_no_sense_is_a_wrong_command_line(
    run: Run, database: Database, arguments: list[str]
) -> None:
    assert run("canary", "demo", *arguments).exit_code == 2


SERVED = {"generation": 9, "provider": "demo", "version": 1}


@pytest.mark.parametrize(
    ("arguments", "request_", "body", "words"),
    [
        (
            ["activate", "demo", "1"],
            "POST /api/versions/demo/activate",
            {"version": 1, "reason": ""},
            "Version 1 of demo",
        ),
        (["rollback", "demo"], "POST /api/versions/demo/rollback", {"to": None, "reason": ""}, "is served again"),
        (
            ["canary", "demo", "2", "--share", "20%"],
            "POST /api/versions/demo/canary",
            {"version": 2, "reason": "", "share": 0.2},
            "20.0% of the requests",
        ),
        (["canary", "demo", "--stop"], "DELETE /api/versions/demo/canary?reason=", {}, "has ended"),
    ],
)
def test_with_a_service_it_is_done_there(
    run: Run, database: Database, home: Path, arguments: list[str], request_: str, body: dict[str, Any], words: str
) -> None:
    answers: dict[str, list[tuple[int, Any]]] = {"GET /health": [(200, {})], request_: [(200, SERVED)]}
    with served(AdminApi(answers), home / "data") as api:
        done = run(*arguments)
        assert json.loads(run(*arguments, "--json").stdout) == SERVED
    assert words in done.stdout
    assert "in generation 9" in done.stdout
    method, asked, _ = api.requests[1]
    assert (method, asked or {}) == (request_, body)
    assert active(database) == 2
