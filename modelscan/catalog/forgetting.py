"""Removes old runs, old answers of sources and old history from the catalogue; never what something names."""

from collections.abc import Iterable
from datetime import datetime

from modelscan.catalog.connection import Connection
from modelscan.catalog.database import Database
from modelscan.catalog.rows import query, rows

__all__ = ["forget_discoveries", "forget_history", "forget_records"]

_OWN = (
    "source_records",
    "facts",
    "discovery_steps",
    "usage_tracking",
    "usage_rows",
    "usage_rollups",
    "usage_latencies",
)
"""Tables that do not keep a record: itself, what rests on it, what only tells of it, and what never names one."""
_HISTORY = (
    query("forget_drift_feed"),
    query("forget_drift"),
    "DELETE FROM drift_outbox WHERE created_at < $before",
    query("forget_activations"),
    query("forget_health"),
)
"""The feed first: a change that a line of it tells is kept."""


def forget_records(database: Database, before: datetime, named: Iterable[str] = ()) -> int:
    """Remove what sources answered before that, with the facts in it; returns how many records.

    Kept is the newest that each source said about a subject, what anything else in the catalogue names, and `named`.
    """
    with database.write() as connection:
        named = {*named, *_named(connection)}
        asked = {"before": before, "named": sorted(named)}
        old = [row["id"] for row in rows(connection, query("old_records"), asked)]
        connection.execute("DELETE FROM facts WHERE list_contains(?, record)", [old])
    # Another transaction: DuckDB looks for what refers to a row among those that this one has removed, too.
    with database.write() as connection:
        connection.execute("DELETE FROM source_records WHERE list_contains(?, id)", [old])
    return len(old)


def forget_discoveries(database: Database, before: datetime) -> int:
    """Remove the runs that ended and began before that, but for those that led to a version; returns how many."""
    with database.write() as connection:
        old = [row["id"] for row in rows(connection, query("old_discoveries"), {"before": before})]
        for table in ("discovery_steps", "candidates"):
            connection.execute(f"DELETE FROM {table} WHERE list_contains(?, discovery)", [old])  # noqa: S608 - our own names
    with database.write() as connection:
        connection.execute("DELETE FROM discovery_logs WHERE list_contains(?, id)", [old])
    return len(old)


def forget_history(database: Database, before: datetime) -> int:
    """Remove what was told of before that: changes with their feed and letters, activations, changes of health.

    Kept is what decides anything still: changes that are held or were rejected and each field's newest, activations of
    versions that can be served or were rolled back, each provider's last state. Returns how many rows.
    """
    with database.write() as connection:
        return sum(_removed(connection, sql, before) for sql in _HISTORY)


def _removed(connection: Connection, sql: str, before: datetime) -> int:
    (row,) = connection.execute(sql, {"before": before}).fetchall()
    return int(row[0])


def _named(connection: Connection) -> set[str]:
    """All that looks like a record's id in any text of the catalogue, whichever table it is in, also one of later."""
    columns = rows(connection, query("text_columns"), {"own": list(_OWN)})
    found = set[str]()
    for table, column in ((row["table_name"], row["column_name"]) for row in columns):
        sql = f"""SELECT DISTINCT unnest(regexp_extract_all("{column}"::VARCHAR, '[0-9a-f]{{16}}')) FROM "{table}" """  # noqa: S608
        found.update(row[0] for row in connection.execute(sql).fetchall())
    return found
