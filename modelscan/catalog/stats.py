"""Usage added up by what was asked for: whole hours and days from the rollups, what is not in them yet from rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from modelscan.catalog.connection import Connection
from modelscan.catalog.database import Database
from modelscan.catalog.rows import query, rows
from modelscan.types import StatsQuery, UsageStat, utc_now

__all__ = ["conditions", "stats"]

_COLUMNS = {
    "alias": "asked_model",
    "client": "client",
    "error": "error_code",
    "key": "key_id",
    "model": "coalesce(model, asked_model)",
    "operation": "operation",
    "provider": "provider",
    "status": "status",
    "token": "token_id",
}
_ROUTE = {**{name: _COLUMNS[name] for name in ("operation", "provider")}, "model": "model"}
"""The dimensions by which rollups keep latencies; by others they are those of the rows that are still there."""
_SPANS = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}
_FROM_ROWS, _FROM_HOURS = timedelta(hours=49), timedelta(days=32)
"""Ranges up to these that do not begin at midnight are taken from rows, and from hours."""
_GROWTH = 1.1
"""By how much each bucket of a latency is wider than the one before, in the migration and at the ingest."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SUMS = query("usage_sums").strip()


class _Range(NamedTuple):
    grain: str
    """`hour` or `day` of the rollups; empty: rows alone."""
    since: datetime
    until: datetime


def stats(
    database: Database,
    asked: StatsQuery = StatsQuery(),  # noqa: B008 - frozen
    now: datetime | None = None,
) -> tuple[UsageStat, ...]:
    """The usage that was asked for, by time and then most requests first; the newest 5,000 rows at most.

    A range that is not taken from rows counts whole hours or days, from the one that it begins in.
    """
    within = _range(asked, now or utc_now())
    with database.read() as connection:
        ((rolled,),) = connection.execute("SELECT rolled FROM usage_state").fetchall()
        found = _rows(connection, "stats", asked, within, rolled, _COLUMNS)
        percentiles = _percentiles(connection, asked, within, rolled)
    return tuple(_stat(row, percentiles.get(_group(row, asked), {})) for row in reversed(found))


def _range(asked: StatsQuery, now: datetime) -> _Range:
    since, until = asked.since or _BEGINNING, asked.until or now + timedelta(days=1)
    whole_days = asked.bucket in (None, "day", "month") and _is_midnight(since)
    if asked.bucket == "minute" or (not whole_days and min(until, now) - since <= _FROM_ROWS):
        return _Range("", since, until)
    by_day = whole_days and (asked.until is None or _is_midnight(until))
    by_day = by_day or (asked.bucket != "hour" and min(until, now) - since > _FROM_HOURS)
    grain = "day" if by_day else "hour"
    return _Range(grain, _floor(since, grain), _ceiling(until, grain))


def _is_midnight(moment: datetime) -> bool:
    return _floor(moment, "day") == moment


def _floor(moment: datetime, grain: str) -> datetime:
    moment = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return moment.replace(hour=0) if grain == "day" else moment


def _ceiling(moment: datetime, grain: str) -> datetime:
    below = _floor(moment, grain)
    return below if below == moment else below + timedelta(**{f"{grain}s": 1})


def _rows(
    connection: Connection, name: str, asked: StatsQuery, within: _Range, rolled: int, columns: dict[str, str]
) -> list[dict[str, Any]]:
    by = asked.by or ("provider",)
    parts = {
        "row_time": _time(asked, '"at"'),
        "rolled_time": _time(asked, "period"),
        "by": ", ".join(f"{columns[one] if asked.by else 'NULL'} AS by_{one}" for one in by),
        "grouped": ", ".join(f"by_{one}" for one in by),
        "descending": ", ".join(f"by_{one} DESC" for one in by),
        "named": ", ".join(f"by_{one} AS {one}" for one in by),
        "where": " AND ".join(["true", *conditions(asked)]),
        "sums": _SUMS,
    }
    text = query(name).replace("{rolled}", query("stats_latencies") if columns is _ROUTE else "").format(**parts)
    values: dict[str, object] = {f"is_{name}": value for name, value in asked.where.items()}
    values |= {"grain": within.grain, "since": within.since, "until": within.until}
    values["after"] = rolled if within.grain else -1
    return rows(connection, text, {name: value for name, value in values.items() if f"${name}" in text})


def _time(asked: StatsQuery, moment: str) -> str:
    """The beginning of the bucket, in UTC whatever the session's time zone."""
    if asked.bucket is None:
        return "NULL"
    if asked.bucket == "month":
        return f"date_trunc('month', {moment} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
    span = _SPANS[asked.bucket]
    return f"make_timestamptz(epoch_us({moment}) // {span} * {span})"


def conditions(asked: StatsQuery) -> Iterator[str]:
    """Of SQL, of names of ours; what was asked for is bound as `$is_NAME`."""
    for name, value in asked.where.items():
        if name == "model":
            yield "(model = $is_model OR asked_model = $is_model)"
        elif name == "status" and value.lower().endswith("xx"):
            yield "left(status::VARCHAR, 1) = left($is_status, 1)"
        else:
            yield f"{_COLUMNS[name]}::VARCHAR = $is_{name}"


def _percentiles(
    connection: Connection, asked: StatsQuery, within: _Range, rolled: int
) -> dict[tuple[object, ...], dict[str, float | None]]:
    by_route = {*asked.by, *asked.where} <= _ROUTE.keys() and "model" not in asked.where
    within = within if by_route else within._replace(grain="")
    found = _rows(connection, "stats_percentiles", asked, within, rolled, _ROUTE if by_route else _COLUMNS)
    return {
        _group(row, asked): {name: _middle(value) for name, value in row.items() if name.endswith("_ms")}
        for row in found
    }


def _group(row: dict[str, Any], asked: StatsQuery) -> tuple[object, ...]:
    return (row["time"], *(row[one] for one in asked.by))


def _middle(bucket: int | None) -> float | None:
    """The value that is as far from the bucket's one end as from the other, in parts of it: within 4.8 % of any."""
    return None if bucket is None else round(2 * _GROWTH**bucket / (1 + _GROWTH), 3)


def _stat(row: dict[str, Any], percentiles: dict[str, float | None]) -> UsageStat:
    requests, first_bytes = row["requests"], row.pop("first_bytes")
    mean = row["first_byte_ms"] / first_bytes if first_bytes else None
    means = {"latency_ms": row["latency_ms"] / requests, "first_byte_ms": mean}
    return UsageStat(**{**row, **percentiles, **means, "error_rate": row["errors"] / requests})
