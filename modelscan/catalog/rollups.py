"""Usage by hour and day: rows are counted into it batch by batch, exactly once, and what is too old is removed."""

from datetime import datetime, timedelta

from modelscan.catalog.connection import Connection
from modelscan.catalog.database import Database
from modelscan.catalog.rows import query

__all__ = ["forget", "merge", "recount", "roll", "waiting"]

_SPANS = {"hour": 3_600_000_000, "day": 86_400_000_000}
"""Microseconds."""
_MOST_GROUPS = 20_000
"""Past so many, callers' own names, of whom anybody may make up more, count as one."""
_SUMS = query("usage_sums").strip()


def waiting(database: Database) -> int:
    """How many rows are not in the rollups yet."""
    with database.read() as connection:
        found = connection.execute("SELECT count(*) FROM usage_tracking WHERE batch > (SELECT rolled FROM usage_state)")
        return int(found.fetchall()[0][0])


def roll(database: Database) -> int:
    """Count the batches that are not in the rollups yet into them, in one transaction; returns how many batches."""
    with database.write() as connection:
        ((rolled, batch),) = connection.execute("SELECT rolled, batch FROM usage_state").fetchall()
        if rolled >= batch:
            return 0
        batches = {"rolled": rolled, "batch": batch}
        _add(connection, batches, "1970-01-01 00:00:00+00")
        for grain, span in _SPANS.items():
            connection.execute(query("roll_latencies"), {**batches, "grain": grain, "span": span})
        connection.execute("UPDATE usage_state SET rolled = ?", [batch])
    return int(batch - rolled)


def recount(connection: Connection) -> None:
    """Count again what the rows that are still there add, after they were changed, as when they are priced anew."""
    ((rolled, since),) = connection.execute("SELECT rolled, kept_since::VARCHAR FROM usage_state").fetchall()
    connection.execute("DELETE FROM usage_rollups WHERE period >= ?::TIMESTAMPTZ", [since])
    _add(connection, {"rolled": -2, "batch": rolled}, since)


def _add(connection: Connection, batches: dict[str, int], since: str) -> None:
    ((groups,),) = connection.execute("SELECT count(*) FROM usage_groups").fetchall()
    asked = {**batches, "full": groups >= _MOST_GROUPS, "since": since}
    connection.execute(query("roll_usage").format(sums=_SUMS), asked)
    connection.execute(query("roll_groups"))
    for grain, span in _SPANS.items():
        connection.execute(query("roll_grain").format(sums=_SUMS), {"grain": grain, "span": span})
    connection.execute("DROP TABLE rolling")


def merge(database: Database) -> None:
    """Make one of the parts that several batches left of a period."""
    for table, sql in (("usage_rollups", query("merge_rollups")), ("usage_latencies", query("merge_latencies"))):
        with database.write() as connection:
            connection.execute(sql.format(sums=_SUMS))
            connection.execute(
                f"DELETE FROM {table} WHERE (grain, period) IN (SELECT DISTINCT (grain, period) FROM merging)"  # noqa: S608 - ours
            )
            connection.execute(f"INSERT INTO {table} BY NAME FROM merging")
            connection.execute("DROP TABLE merging")


def forget(database: Database, now: datetime, *, rows: int, hours: int, days: int) -> int:
    """Remove rows, hours and days that are older than so many days, whole days in UTC; returns how many rows went.

    No row goes uncounted.
    """
    count = 0
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    kept = midnight - timedelta(days=rows)
    for day in _days_before(database, kept):
        with database.write() as connection:
            connection.execute("UPDATE usage_state SET kept_since = greatest(kept_since, ?)", [day])
            gone = connection.execute(
                'DELETE FROM usage_tracking WHERE "at" < ? AND batch <= (SELECT rolled FROM usage_state)', [day]
            )
            count += int(gone.fetchall()[0][0])
    with database.write() as connection:
        connection.execute("DELETE FROM usage_segments WHERE taken_at < ?", [kept])
        for grain, before in (("hour", hours), ("day", days)):
            for table in ("usage_rollups", "usage_latencies"):
                connection.execute(
                    f"DELETE FROM {table} WHERE grain = ? AND period < ?",  # noqa: S608 - a name of ours
                    [grain, midnight - timedelta(days=before)],
                )
        connection.execute("DELETE FROM usage_groups WHERE id NOT IN (SELECT id FROM usage_rollups)")
    return count


def _days_before(database: Database, kept: datetime) -> list[datetime]:
    """The ends of the days with rows from before `kept`, so that each goes in a transaction of its own."""
    with database.read() as connection:
        found = connection.execute(
            'SELECT DISTINCT make_timestamptz((epoch_us("at") // $span + 1) * $span) AS ends FROM usage_tracking'
            ' WHERE "at" < $kept AND batch <= (SELECT rolled FROM usage_state) ORDER BY ends',
            {"span": _SPANS["day"], "kept": kept},
        )
        return [ends for (ends,) in found.fetchall()]
