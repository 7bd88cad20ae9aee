"""Usage rows as files: whole or not at all, and nothing overwritten that was not meant to be."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from modelscan.catalog.database import Database
from modelscan.catalog.export import export
from modelscan.errors import InvalidInput
from modelscan.types import StatsQuery
from tests.catalog.usage_rows import an_event, take_in

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)


@pytest.fixture
def filled(database: Database) -> Database:
    """Three rows of two days."""
    take_in(
        database,
        an_event(NOW, cost_usd=Decimal("0.000000000001"), client='a "quoted",\nname'),
        an_event(NOW - timedelta(days=1), status=502),
        an_event(NOW - timedelta(days=1), model="saw"),
    )
    return database


@pytest.mark.parametrize("name", ["usage.parquet", "it's {odd}.csv", "USAGE.CSV"])
def test_all_rows_are_in_the_file(filled: Database, tmp_path: Path, name: str) -> None:
    assert export(filled, StatsQuery(), tmp_path / name) == 3
    quoted = str(tmp_path / name).replace("'", "''")
    found = duckdb.execute(f"SELECT client, cost_usd::DOUBLE FROM '{quoted}' ORDER BY cost_usd NULLS LAST").fetchall()
    assert found[0] == ('a "quoted",\nname', 1e-12)
    assert [path.name for path in tmp_path.glob(".*.partial")] == []


def test_a_range_and_what_it_is_are_heeded(filled: Database, tmp_path: Path) -> None:
    asked = StatsQuery(until=NOW, since=NOW - timedelta(days=2), where={"status": "2xx"})
    assert export(filled, asked, tmp_path / "some.csv") == 1
    with (tmp_path / "some.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["model"], row["status"]) == ("saw", "200")
    assert "batch" not in row


def test_a_file_that_is_there_stays_unless_it_is_forced(filled: Database, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text("mine")
    with pytest.raises(InvalidInput, match="already"):
        export(filled, StatsQuery(), file)
    assert file.read_text() == "mine"
    assert export(filled, StatsQuery(), file, force=True) == 3
    assert "request_id" in file.read_text()


@pytest.mark.parametrize("name", ["usage.xlsx", "usage", "missing/usage.csv"])
def test_what_cannot_be_written_leaves_nothing(filled: Database, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InvalidInput):
        export(filled, StatsQuery(), tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
