"""Usage by the hour and the day: every row is counted once, whenever it comes and however long it is kept."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelscan.catalog import rollups
from modelscan.catalog.database import Database
from modelscan.catalog.stats import stats
from modelscan.types import StatsQuery
from tests.catalog.usage_rows import an_event, take_in
from tests.catalogues import migrate

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
ALL = StatsQuery(by=())
KEPT: dict[str, Any] = {"rows": 2, "hours": 5, "days": 300}


def requests(database: Database, asked: StatsQuery = ALL) -> int:
    return sum(row.requests for row in stats(database, asked, NOW))


def count(database: Database, table: str, grain: str = "") -> int:
    where = f"WHERE grain = '{grain}'" if grain else ""
    with database.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table} {where}").fetchall()[0][0])


def test_a_row_counts_once_before_and_after_it_is_rolled_up_and_when_it_is_gone(database: Database) -> None:
    take_in(database, *(an_event(NOW - timedelta(days=days), prompt_tokens=10) for days in range(8)))
    assert (requests(database), rollups.waiting(database)) == (8, 8)
    assert rollups.roll(database) == 2  # the empty one that the migration made, and this
    assert (requests(database), rollups.waiting(database), rollups.roll(database)) == (8, 0, 0)
    rollups.merge(database)
    rollups.forget(database, NOW, **KEPT)
    assert count(database, "usage_tracking") == 3
    assert count(database, "usage_rollups", "hour") == 6
    (row,) = stats(database, ALL, NOW)
    assert (row.requests, row.prompt_tokens) == (8, 80)
    by_day = stats(database, StatsQuery(by=(), bucket="day"), NOW)
    assert [one.requests for one in by_day] == [1] * 8


def test_a_row_that_comes_late_is_counted_where_its_time_says(database: Database) -> None:
    take_in(database, an_event(NOW - timedelta(days=9)))
    rollups.roll(database)
    rollups.forget(database, NOW, **KEPT)
    take_in(database, an_event(NOW - timedelta(days=9)), an_event(NOW))
    for step in (lambda: None, lambda: rollups.roll(database), lambda: rollups.merge(database)):
        step()
        assert [one.requests for one in stats(database, StatsQuery(by=(), bucket="day"), NOW)] == [2, 1]
    rollups.forget(database, NOW, **KEPT)
    assert (requests(database), count(database, "usage_tracking")) == (3, 1)


def test_rows_that_are_not_rolled_up_are_not_removed(database: Database) -> None:
    take_in(database, an_event(NOW - timedelta(days=9)))
    rollups.forget(database, NOW, **KEPT)
    assert (requests(database), count(database, "usage_tracking")) == (1, 1)


def test_parts_of_a_period_become_one(database: Database) -> None:
    for number in range(3):
        take_in(database, an_event(NOW, cost_usd=Decimal("0.1"), latency_ms=100 + number))
        rollups.roll(database)
    assert count(database, "usage_rollups", "day") == 3
    rollups.merge(database)
    rollups.merge(database)
    assert (count(database, "usage_rollups", "day"), count(database, "usage_rollups", "hour")) == (1, 1)
    assert count(database, "usage_latencies", "day") == 1
    (row,) = stats(database, ALL, NOW)
    assert (row.requests, row.cost_usd, row.latency_ms) == (3, Decimal("0.3"), 101)


def test_costs_that_were_changed_are_counted_again(database: Database) -> None:
    take_in(database, *(an_event(NOW - timedelta(days=days), cost_usd=Decimal(1)) for days in (0, 1, 9)))
    rollups.roll(database)
    rollups.forget(database, NOW, **KEPT)
    take_in(database, an_event(NOW, cost_usd=Decimal(1)))
    with database.write() as connection:
        connection.execute("UPDATE usage_tracking SET cost_usd = 3")
        rollups.recount(connection)
    for _ in range(2):
        (row,) = stats(database, ALL, NOW)
        assert (row.requests, row.cost_usd) == (4, Decimal(10))
        rollups.roll(database)


def test_names_that_callers_make_up_are_one_past_a_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "_MOST_GROUPS", 3)
    for batch in range(3):
        take_in(database, *(an_event(NOW, asked_model=f"a{batch}{n}", client=f"c{batch}{n}") for n in range(4)))
        rollups.roll(database)
    assert count(database, "usage_groups") == 5
    assert {row.client: row.requests for row in stats(database, StatsQuery(by=("client",)), NOW)}["(other)"] == 8


def test_an_empty_catalogue_has_nothing_to_roll_up_or_to_forget(database: Database) -> None:
    rollups.roll(database)
    rollups.merge(database)
    rollups.forget(database, NOW, **KEPT)
    with database.write() as connection:
        rollups.recount(connection)
    assert stats(database, ALL, NOW) == ()


STEPS = st.lists(
    st.one_of(
        st.lists(st.integers(0, 12 * 24), min_size=1, max_size=4),
        st.sampled_from(["roll", "merge", "forget", "recount"]),
    ),
    max_size=10,
)


@pytest.mark.no_cover
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_in_which_order_the_sums_are_those_of_all_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[int] | str]
) -> None:
    database, taken = Database(tmp_path_factory.mktemp("any") / "c.duckdb"), 0
    migrate(database)
    for step in steps:
        if isinstance(step, list):
            taken += take_in(database, *(an_event(NOW - timedelta(hours=h), prompt_tokens=1) for h in step))
        elif step == "forget":
            rollups.forget(database, NOW, **KEPT)
        elif step == "recount":
            with database.write() as connection:
                rollups.recount(connection)
        else:
            getattr(rollups, step)(database)
    found = stats(database, ALL, NOW)
    assert sum(row.requests for row in found) == sum(row.prompt_tokens for row in found) == taken


@pytest.mark.no_cover
def test_a_year_of_requests_leaves_a_file_that_stops_growing(tmp_path: Path) -> None:
    database, sizes = Database(tmp_path / "year.duckdb"), []
    migrate(database)
    for day in range(0, 365, 10):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        events = (
            an_event(at + timedelta(minutes=n % 14400), model=f"m{n % 5}", latency_ms=n % 97) for n in range(4000)
        )
        take_in(database, *events)
        rollups.roll(database)
        rollups.merge(database)
        rollups.forget(database, at, rows=20, hours=40, days=100)
        sizes.append(database.path.stat().st_size)
    assert max(sizes[-10:]) <= 1.3 * max(sizes[10:20]), [size >> 10 for size in sizes]
    assert count(database, "usage_tracking") <= 31 * 400
