"""`modelscan approvals`: what waits, what it would change, and the operator's word on it."""

import json
from pathlib import Path

import pytest

from modelscan.catalog import approvals, discoveries
from modelscan.catalog.database import Database
from modelscan.types import Change, Discovery, DiscoveryState, Level, utc_now
from tests.catalogues import migrate
from tests.cli.admin_api import AdminApi, discovery, served
from tests.cli.conftest import Run

CHANGE = Change(field="base_url", before="https://old.example/v1", after="https://new.example/v1")
APPROVE, REFUSE = "POST /api/discoveries/d1/approve", "POST /api/discoveries/d1/refuse"


@pytest.fixture
def database(home: Path) -> Database:
    """One discovery waits."""
    database = Database(home / "data" / "modelscan.duckdb")
    migrate(database)
    held = Discovery(
        id="d1",
        identifier="acme",
        created_at=utc_now(),
        state=DiscoveryState.WAITING,
        changes=(CHANGE,),
        digest="0",
        level=Level.LIVE,
    )
    discoveries.create(database, held)
    return database


@pytest.mark.usefixtures("database")
def test_what_waits_is_listed_and_shown_with_its_changes(run: Run) -> None:
    assert run("approvals").stdout.splitlines()[1].split()[:4] == ["d1", "acme", "live", "1"]
    shown = run("approvals", "show", "d1").stdout
    assert "acme: waiting, proved to level live." in shown
    assert [line.split() for line in shown.splitlines()][2] == ["base_url", CHANGE.before, CHANGE.after]
    assert "modelscan approvals approve d1" in shown
    assert json.loads(run("approvals", "show", "d1", "--json").stdout)["changes"] == [CHANGE.model_dump()]


@pytest.mark.parametrize(
    ("approved", "reason", "said"), [(True, "", "Approved"), (False, "too dear", "Refused: too dear")]
)
def test_a_verdict_is_shown(run: Run, database: Database, approved: bool, reason: str, said: str) -> None:
    approvals.judge(database, "d1", approved=approved, reason=reason)
    assert said in run("approvals", "show", "d1").stdout.splitlines()
    assert "Nothing waits" in run("approvals").stderr


def test_what_ended_without_a_verdict_is_shown_as_it_is(run: Run, database: Database) -> None:
    discoveries.update(database, "d1", state=DiscoveryState.FAILED, changes=())
    assert run("approvals", "show", "d1").stdout.splitlines() == ["acme: failed, proved to level live."]


def test_without_a_catalogue_nothing_waits(run: Run, home: Path) -> None:
    assert "Nothing waits" in run("approvals").stderr
    assert run("approvals", "show", "d1").exit_code == 1
    assert list(home.iterdir()) == []


def test_what_is_approved_is_followed_until_it_is_published(run: Run, home: Path) -> None:
    for option in ((), ("--json",)):
        answers = {
            APPROVE: [(202, discovery("queued"))],
            "GET /api/discoveries/d1": [(200, discovery("running")), (200, discovery("succeeded", version=2))],
        }
        with served(AdminApi(answers), home / "data") as api:
            done = run("approvals", "approve", "d1", *option)
        assert done.exit_code == 0, done.stderr
        assert api.requests[0][1] == {}
        assert ('"version": 2' if option else "demo/echo is published as version 2.") in done.stdout


def test_what_fails_after_all_exits_with_1(run: Run, home: Path) -> None:
    error = {"code": "discovery-failed", "message": "The router does not serve it."}
    for option in ((), ("--json",)):
        with served(AdminApi({APPROVE: [(200, discovery("failed", error=error))]}), home / "data"):
            done = run("approvals", "approve", "d1", *option)
        assert done.exit_code == 1
        assert "The router does not serve it." in done.output


def test_what_is_refused_is_said(run: Run, home: Path) -> None:
    for option in ((), ("--json",)):
        with served(AdminApi({REFUSE: [(200, discovery("failed"))]}), home / "data") as api:
            done = run("approvals", "refuse", "d1", "--reason", "no", *option)
        assert (done.exit_code, api.requests[0][1]) == (0, {"reason": "no"})
        assert ('"failed"' if option else "what is served is served on") in done.stdout


def test_an_added_one_that_waits_says_how_to_approve_it(run: Run, home: Path) -> None:
    answers = {"POST /api/providers/add": [(202, discovery("waiting", level="live", digest="0"))]}
    with served(AdminApi(answers), home / "data"):
        done = run("add", "demo/echo")
    assert done.exit_code == 0
    assert "waits for approval; nothing is published yet" in done.stdout
    assert "modelscan approvals approve d1" in done.stdout
