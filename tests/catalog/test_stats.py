"""Usage added up: by every dimension, over every range, from rows and from rollups alike."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from modelscan.catalog import rollups
from modelscan.catalog.database import Database
from modelscan.catalog.stats import stats
from modelscan.types import StatsQuery, UsageStat
from tests.catalog.usage_rows import an_event, take_in
from tests.catalogues import migrate

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0)


@pytest.fixture(scope="module", params=["rows", "rollups", "both"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """The same usage, whether it was rolled up, or not yet, or a part of it."""
    database = Database(tmp_path_factory.mktemp("stats") / "catalogue.duckdb")
    migrate(database)
    take_in(
        database,
        *(an_event(NOW - timedelta(minutes=n), latency_ms=10.0 * (n + 1), first_byte_ms=n + 1.0) for n in range(100)),
    )
    if request.param == "both":
        rollups.roll(database)
    take_in(
        database,
        an_event(NOW - timedelta(days=3), status=502, error_code="upstream-failed", key_id="k2", retries=2),
        an_event(NOW - timedelta(days=40), model="saw", asked_model="cutter", cost_usd=Decimal("0.25"), fallbacks=1),
        an_event(NOW, token_id="t1", client="batch", operation="embeddings", prompt_tokens=9, completion_tokens=1,
                 cached_tokens=4, cache_write_tokens=2, reasoning_tokens=1, estimated=True, cost_usd=Decimal("0.5"),
                 stream=True, cancelled=True),
        an_event(NOW, provider=None, model=None, asked_model="nobody", status=404, error_code="model-not-found"),
    )  # fmt: skip
    if request.param == "rollups":
        rollups.roll(database)
    return database


def only(database: Database, **asked: Any) -> UsageStat:
    (row,) = stats(database, StatsQuery(**{"by": (), **asked}), NOW)
    return row


def by(database: Database, dimension: Any, **asked: Any) -> dict[object, int]:
    return {getattr(row, dimension): row.requests for row in stats(database, StatsQuery(by=(dimension,), **asked), NOW)}


@pytest.mark.parametrize(
    ("dimension", "found"),
    [
        ("provider", {"acme": 103, None: 1}),
        ("model", {"anvil": 102, "saw": 1, "nobody": 1}),
        ("alias", {"anvil": 102, "cutter": 1, "nobody": 1}),
        ("key", {None: 103, "k2": 1}),
        ("token", {None: 103, "t1": 1}),
        ("client", {None: 103, "batch": 1}),
        ("status", {200: 102, 502: 1, 404: 1}),
        ("operation", {"chat": 103, "embeddings": 1}),
        ("error", {None: 102, "upstream-failed": 1, "model-not-found": 1}),
    ],
)
def test_by_each_dimension(filled: Database, dimension: str, found: dict[object, int]) -> None:
    assert by(filled, dimension) == found


def test_all_that_is_counted(filled: Database) -> None:
    row = only(filled)
    assert (row.requests, row.errors, row.error_rate) == (104, 2, 2 / 104)
    assert (row.cancelled, row.streams, row.retries, row.fallbacks, row.estimated) == (1, 1, 2, 1, 1)
    tokens = (row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.cache_write_tokens, row.reasoning_tokens)
    assert tokens == (9, 1, 4, 2, 1)
    assert (row.cost_usd, row.cost_unknown, row.without_usage) == (Decimal("0.75"), 100, 101)
    assert (row.first_at, row.last_at) == (NOW - timedelta(days=40), NOW)


def test_what_has_no_known_cost_has_none_and_not_zero(filled: Database) -> None:
    assert only(filled, where={"status": "502"}).cost_usd is None


@pytest.mark.parametrize(
    ("where", "requests"),
    [
        ({"model": "cutter"}, 1),
        ({"model": "saw"}, 1),
        ({"status": "5xx"}, 1),
        ({"status": "4XX", "provider": "acme"}, None),
        ({"client": "batch", "token": "t1"}, 1),
        ({"client": "'; DROP TABLE usage_tracking; --"}, None),
    ],
)
def test_only_what_was_asked_for(filled: Database, where: dict[str, str], requests: int | None) -> None:
    found = stats(filled, StatsQuery.model_validate({"by": (), "where": where}), NOW)
    assert [row.requests for row in found] == ([requests] if requests else [])


def test_percentiles_are_within_five_percent(filled: Database) -> None:
    for asked in ({"where": {"provider": "acme", "operation": "chat"}}, {"where": {"model": "anvil", "status": "200"}}):
        row = only(filled, since=MIDNIGHT, **asked)
        told = (row.latency_p50_ms, row.latency_p95_ms, row.latency_p99_ms)
        first = (row.first_byte_p50_ms, row.first_byte_p95_ms, row.first_byte_p99_ms)
        assert [one and round(one) for one in told] == [pytest.approx(true, rel=0.06) for true in (500, 950, 990)]
        assert list(first) == [pytest.approx(true, rel=0.05) for true in (50, 95, 99)]


@pytest.mark.parametrize(
    ("bucket", "since", "found"),
    [
        ("minute", NOW - timedelta(minutes=2), [1, 1, 3]),
        ("hour", NOW - timedelta(hours=1, minutes=30), [60, 33]),
        ("hour", MIDNIGHT, [9, 60, 33]),
        ("day", MIDNIGHT - timedelta(days=5), [1, 102]),
        ("day", NOW - timedelta(days=5), [1, 102]),
        ("day", NOW - timedelta(days=60), [1, 1, 102]),
        ("month", None, [1, 103]),
    ],
)
def test_by_time(filled: Database, bucket: Any, since: datetime | None, found: list[int]) -> None:
    rows = stats(filled, StatsQuery(by=(), bucket=bucket, since=since), NOW)
    assert [row.requests for row in rows] == found
    assert [row.time for row in rows] == sorted(row.time for row in rows if row.time)


@pytest.mark.parametrize(
    ("since", "until", "requests"),
    [
        (NOW - timedelta(hours=1), None, 63),
        (NOW - timedelta(days=10), None, 103),
        (NOW - timedelta(days=10), MIDNIGHT, 1),
        (MIDNIGHT - timedelta(days=10), MIDNIGHT, 1),
        (MIDNIGHT - timedelta(days=10), NOW - timedelta(days=3) + timedelta(minutes=1), 1),
        (None, MIDNIGHT - timedelta(days=30), 1),
        (NOW + timedelta(hours=1), None, 0),
    ],
)
def test_a_range_counts_what_lies_in_it(
    filled: Database, since: datetime | None, until: datetime | None, requests: int
) -> None:
    assert sum(row.requests for row in stats(filled, StatsQuery(since=since, until=until), NOW)) == requests


def test_the_most_requests_come_first(filled: Database) -> None:
    assert stats(filled, StatsQuery(), NOW)[0].model == "anvil"
