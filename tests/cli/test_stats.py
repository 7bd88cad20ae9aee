"""`modelscan stats`: tables and small charts of what the catalogue counted."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from modelscan.catalog.database import Database
from modelscan.cli.charts import bar, sparkline
from modelscan.types import utc_now
from tests.catalog.usage_rows import an_event, take_in
from tests.cli.conftest import Run
from tests.cli.published import publish


@pytest.fixture
def used(home: Path) -> None:
    """Some usage, of today and of two days before."""
    publish(home)
    now = utc_now()
    take_in(
        Database(home / "data" / "modelscan.duckdb"),
        *(an_event(now, prompt_tokens=10, cost_usd=Decimal("0.5")) for _ in range(4)),
        an_event(now - timedelta(days=2), status=503, estimated=True, prompt_tokens=1, asked_model="\x1b[31mred"),
    )


@pytest.mark.parametrize("arguments", [(), ("--by", "all"), ("--by", "status,key"), ("--bucket", "day")])
def test_a_table_has_a_line_a_group(run: Run, used: None, arguments: tuple[str, ...]) -> None:
    done = run("stats", *arguments)
    assert done.exit_code == 0, done.output
    assert "requests" in done.stdout
    assert "2.0000" in done.stdout
    assert "unknown" in done.stderr
    assert "estimate" in done.stderr


def test_time_is_told_with_a_line_of_the_totals(run: Run, used: None) -> None:
    assert run("stats", "--bucket", "day", "--by", "all").stdout.splitlines()[0].startswith("requests ▃█ at most 4")


def test_a_group_is_found_by_range_and_by_what_it_is(run: Run, used: None) -> None:
    def requests(*arguments: str) -> list[int]:
        return [row["requests"] for row in json.loads(run("stats", "--json", *arguments).stdout)]

    assert requests("--since", "1h") == [4]
    assert requests("--until", "1d") == [1]
    assert requests("--where", "status=5xx", "--by", "all") == [1]
    assert requests("--model", "other") == []


def test_what_a_caller_wrote_does_nothing_to_a_terminal(run: Run, used: None) -> None:
    done = run("stats", "--by", "alias")
    assert "\x1b[31m" not in done.stdout
    assert "\\x1b[31mred" in done.stdout


@pytest.mark.parametrize("arguments", [("--by", "colour"), ("--since", "then"), ("--where", "status")])
def test_a_wrong_word_is_told(run: Run, home: Path, arguments: tuple[str, ...]) -> None:
    done = run("stats", *arguments)
    assert done.exit_code == 1
    assert "Error:" in done.stderr


@pytest.mark.parametrize(
    ("value", "largest", "shown"), [(0, 10, ""), (10, 10, "████"), (5, 10, "██"), (0.001, 10, "▏"), (99, 10, "████")]
)
def test_a_bar_is_as_long_as_its_share(value: float, largest: float, shown: str) -> None:
    assert bar(value, largest, 4) == shown


def test_a_line_shows_the_largest_of_each_share() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([0, 7, 1, 0], width=2) == "█▂"


def test_a_token_is_told_by_its_name_as_long_as_it_is_there(run: Run, home: Path, used: None) -> None:
    issued = json.loads(run("tokens", "issue", "app", "--json").stdout)
    rows = [an_event(utc_now(), token_id=token) for token in (issued["id"], "tok_gone")]
    take_in(Database(home / "data" / "modelscan.duckdb"), *rows)
    shown = run("stats", "--by", "token").stdout
    assert "app" in shown
    assert "tok_gone" in shown
    assert issued["id"] not in shown
