"""When usage is rolled up and tidied, off the request's path."""

from datetime import timedelta
from pathlib import Path

import pytest

from modelscan.catalog import rollups
from modelscan.catalog.database import Database
from modelscan.catalog.stats import stats
from modelscan.settings import UsageSettings
from modelscan.types import StatsQuery, utc_now
from modelscan.usage import upkeep
from modelscan.usage.upkeep import Upkeep
from tests.catalog.usage_rows import an_event, take_in
from tests.catalogues import migrate


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb", wait_seconds=0.05)
    migrate(database)
    return database


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_what_was_left_is_rolled_up_at_first_and_then_now_and_then(database: Database) -> None:
    time = Time()
    keeper = Upkeep(database, UsageSettings(), clock=time)
    take_in(database, an_event(utc_now()))
    keeper.step(0)
    assert rollups.waiting(database) == 0
    take_in(database, an_event(utc_now()))
    keeper.step(1)
    assert rollups.waiting(database) == 1
    time.seconds += 301
    keeper.step(0)
    assert rollups.waiting(database) == 0


def test_many_rows_are_rolled_up_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_MANY_ROWS", 2)
    keeper = Upkeep(database, UsageSettings(), clock=Time())
    keeper.step(0)
    take_in(database, an_event(utc_now()), an_event(utc_now()))
    keeper.step(2)
    assert rollups.waiting(database) == 0


def test_what_is_too_old_is_removed_every_hour(database: Database) -> None:
    time = Time()
    keeper = Upkeep(database, UsageSettings(), clock=time)
    keeper.step(0)
    take_in(database, an_event(utc_now() - timedelta(days=40)), an_event(utc_now()))
    time.seconds += 3601
    keeper.step(2)
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM usage_tracking").fetchall() == [(1,)]
    assert stats(database, StatsQuery(by=()))[0].requests == 2


def test_a_busy_catalogue_is_left_for_later(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    keeper = Upkeep(database, UsageSettings(), clock=Time())
    with database.write():
        Upkeep(Database(database.path, wait_seconds=0.01), UsageSettings(), clock=Time()).step(1)
    assert "tried again" in caplog.text
    keeper.step(1)
    assert rollups.waiting(database) == 0
