"""`modelscan changes`: what was found, in words, and the operator's word on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelscan.catalog import drift
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.cli.change_feed import follow
from modelscan.cli.session import Session
from modelscan.drift.asking import ChangesAsked
from modelscan.types import DriftEvent, DriftKind, DriftState
from tests.cli.admin_api import AdminApi, discovery, served
from tests.cli.conftest import Run
from tests.drift.looks import change

MOVED = change("https://a.test", "https://b.test", kind=DriftKind.BASE_URL, field="base_url", model=None)


@pytest.fixture
def database(home: Path) -> Database:
    database = Database(home / "data" / "modelscan.duckdb")
    migrate(database)
    return database


def stored(database: Database, *events: DriftEvent) -> list[str]:
    return [one.id for one in drift.record(database, events)]


def test_changes_are_listed_with_their_values_and_what_to_do(run: Run, database: Database) -> None:
    price, moved = stored(database, change(state=DriftState.APPLIED), MOVED)
    lines = run("changes").stdout.splitlines()
    assert lines[1].split()[2:] == [
        "base_url", "acme", "base_url", "https://a.test", "→", "https://b.test", "models.dev", "held", moved
    ]  # fmt: skip
    assert lines[2].split()[3:6] == ["acme/small", "price.input_mtok", "0.1"]
    assert "modelscan changes show" in lines[-1]
    only = run("changes", "--kind", "price,limit", "--state", "applied", "--provider", "acme", "--since", "2026-01-01")
    assert price in only.stdout
    assert "held" not in only.stdout
    assert [one["id"] for one in json.loads(run("changes", "--json", "--limit", "1").stdout)] == [moved]


def test_where_nothing_was_found_it_says_who_looks(run: Run, home: Path) -> None:
    said = run("changes")
    assert (said.stdout, said.exit_code) == ("", 0)
    assert "rediscover-catalog" in said.stderr
    assert run("changes", "show", "0123").exit_code == 1
    assert list(home.iterdir()) == []


def test_a_word_that_is_not_known_is_told_with_those_that_are(run: Run, database: Database) -> None:
    said = run("changes", "--kind", "colour")
    assert said.exit_code == 1
    assert "Known are price, limit" in said.stderr


def test_one_change_is_shown_with_its_records_and_the_choice(run: Run, database: Database) -> None:
    (moved,) = stored(database, MOVED)
    shown = run("changes", "show", moved).stdout
    assert "acme: base_url is held." in shown
    assert "https://models.dev/api.json" in shown
    assert f"modelscan changes approve {moved}" in shown
    assert json.loads(run("changes", "show", moved, "--json").stdout)["id"] == moved
    drift.judge(database, moved, approved=False, reason="not \x1b[31mtheirs", actor="token ops")
    shown = run("changes", "show", moved).stdout
    assert "is rejected by token ops: not \\x1b[31mtheirs." in shown
    assert "approve" not in shown


def test_hostile_values_are_spelt_out(run: Run, database: Database) -> None:
    stored(database, change("a", "\x1b]0;owned\x07" + "x" * 200, kind=DriftKind.BASE_URL))
    line = run("changes").stdout.splitlines()[1]
    assert "\\x1b]0;owned\\x07" in line
    assert "x" * 61 not in line


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("approve", "acme: base_url is https://b.test from now on."), ("reject", "acme: base_url stays https://a.test.")],
)
def test_the_verdict_is_sent_for_each_and_told(run: Run, home: Path, verdict: str, said: str) -> None:
    answer = {"change": MOVED.model_dump(mode="json"), "discovery": discovery("queued")}
    paths = [f"POST /api/changes/{one}/{verdict}" for one in ("c1", "c2")]
    with served(AdminApi({path: [(200, answer)] for path in paths}), home / "data") as api:
        output = run("changes", verdict, "c1", "c2", "--reason", "why").stdout
        assert output.count(said) == 2
        assert ("discovery d1" in output) == (verdict == "approve")
        assert [(path, body) for path, body, _ in api.requests] == [(path, {"reason": "why"}) for path in paths]
        assert json.loads(run("changes", verdict, "c1", "--json").stdout) == [answer]


def test_an_approval_without_a_discovery_says_no_more(run: Run, home: Path) -> None:
    answer = {"change": change().model_dump(mode="json"), "discovery": None}
    with served(AdminApi({"POST /api/changes/c1/approve": [(200, answer)]}), home / "data"):
        assert run("changes", "approve", "c1").stdout == "acme/small: price.input_mtok is 0.2 from now on.\n"


def waits(*steps: Callable[[], Any]) -> Callable[[float], None]:
    """Does one step at each wait; then Ctrl-C is pressed."""
    left = list(steps)

    def wait(_: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    return wait


def test_following_prints_what_is_asked_for_as_it_comes(
    home: Path, capsys: pytest.CaptureFixture[str], database: Database
) -> None:
    known = drift.record(database, [change()])
    asked = ChangesAsked(provider="acme", kinds=(DriftKind.PRICE,))
    wait = waits(
        lambda: drift.record(database, [change(model="tiny"), change(provider="bolt"), MOVED]),
        lambda: None,
        lambda: drift.judge(database, known[0].id, approved=True),
    )
    follow(Session(), asked, known, wait=wait)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ["acme/small", "acme/tiny", "acme/small"]
    assert [line.split()[-2] for line in lines] == ["held", "held", "approved"]


def test_following_may_begin_before_there_is_a_catalogue(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database(home / "data" / "modelscan.duckdb")

    def begin() -> None:
        database.path.parent.mkdir()
        migrate(database)
        stored(database, MOVED)

    follow(Session(as_json=True), ChangesAsked(since=None), (), wait=waits(begin, lambda: None))
    assert json.loads(capsys.readouterr().out)["after"] == "https://b.test"


def test_the_command_follows(run: Run, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(database, MOVED)
    monkeypatch.setattr("modelscan.cli.changes.follow", lambda *given: follow(*given, wait=waits()))
    assert "https://b.test" in run("changes", "--follow").stdout
