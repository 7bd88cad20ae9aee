"""`modelscan sql` and `modelscan usage export`."""

import json
from pathlib import Path

import pytest

from modelscan.catalog.database import Database
from modelscan.types import utc_now
from tests.catalog.usage_rows import an_event, take_in
from tests.cli.conftest import Run
from tests.cli.published import publish


@pytest.fixture
def used(home: Path) -> None:
    """Three requests."""
    publish(home)
    events = (an_event(utc_now(), status=status, client="\x1b[2J") for status in (200, 200, 503))
    take_in(Database(home / "data" / "modelscan.duckdb"), *events)


def test_a_question_is_answered_with_a_table_or_json(run: Run, used: None) -> None:
    ask = "SELECT status, count(*) AS n FROM usage GROUP BY ALL ORDER BY ALL"
    assert [line.split() for line in run("sql", ask).stdout.splitlines()] == [
        ["status", "n"],
        ["200", "2"],
        ["503", "1"],
    ]
    assert json.loads(run("sql", "--json", ask).stdout) == [{"status": 200, "n": 2}, {"status": 503, "n": 1}]
    assert json.loads(run("sql", "--json", "-", input=ask).stdout)[0]["n"] == 2


def test_more_rows_than_asked_for_are_told(run: Run, used: None) -> None:
    done = run("sql", "SELECT client FROM usage", "--limit", "2")
    assert "more than these 2 rows" in done.stderr
    assert "\\x1b[2J" in done.stdout


@pytest.mark.parametrize("statement", ["DELETE FROM usage", "SELECT ciphertext FROM catalogue.api_keys"])
def test_what_may_not_be_asked_is_told(run: Run, used: None, statement: str) -> None:
    done = run("sql", statement)
    assert done.exit_code == 1
    assert "DESCRIBE usage" in done.stderr


def test_rows_are_written_to_a_file(run: Run, used: None, home: Path) -> None:
    assert "2 rows are in" in run("usage", "export", "some.csv", "--where", "status=200", "--since", "1h").stdout
    told = json.loads(run("usage", "export", "all.parquet", "--json").stdout)
    assert (told["rows"], told["bytes"]) == (3, (home / "all.parquet").stat().st_size)
    assert run("usage", "export", "all.parquet").exit_code == 1
    assert run("usage", "export", "all.parquet", "--force", "--until", "1h").exit_code == 0


@pytest.mark.parametrize("command", [("sql", "SELECT 1"), ("usage", "export", "a.csv")])
def test_without_a_catalogue_it_says_what_to_do(run: Run, home: Path, command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.exit_code == 1
    assert "modelscan serve" in done.stderr
