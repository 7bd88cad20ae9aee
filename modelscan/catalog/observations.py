"""What was last seen of each provider, and how far a run over the whole catalogue is."""

import json
import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text, query, rows
from modelscan.types import CatalogueRun, Look, Published, utc_now

__all__ = ["begin", "end", "forget", "known_to_the_catalogue", "looks", "observed", "published", "save_looks"]

_TAKEN_UP_FOR = timedelta(hours=20)
"""What was begun longer ago is not gone on with: its lists are of yesterday."""


def begin(database: Database, now: datetime | None = None) -> tuple[CatalogueRun, bool]:
    """(the run to do, whether it goes on with one that was interrupted)."""
    now = now or utc_now()
    with database.write() as connection:
        last = rows(connection, "SELECT * FROM catalogue_runs ORDER BY started_at DESC LIMIT 1")
        if last and last[0]["ended_at"] is None and last[0]["started_at"] > now - _TAKEN_UP_FOR:
            return CatalogueRun.model_validate(last[0]), True
        sql = "SELECT DISTINCT unnest(sources) FROM observed_providers ORDER BY 1"
        heard = tuple(source for (source,) in connection.execute(sql).fetchall())
        run = CatalogueRun(id=uuid.uuid4().hex, heard=heard, started_at=now)
        connection.execute("DELETE FROM catalogue_runs WHERE ended_at IS NULL")
        connection.execute("INSERT INTO catalogue_runs VALUES (?, ?, ?, NULL)", [run.id, list(heard), run.started_at])
    return run, False


def end(database: Database, run: CatalogueRun) -> None:
    """The run has looked at every provider; the runs before it are forgotten."""
    with database.write() as connection:
        connection.execute("UPDATE catalogue_runs SET ended_at = ? WHERE id = ?", [utc_now(), run.id])
        connection.execute("DELETE FROM catalogue_runs WHERE id <> ? AND started_at < ?", [run.id, run.started_at])


def observed(database: Database, run: CatalogueRun) -> dict[str, bool]:
    """Every provider that was ever seen -> whether this run has looked at it."""
    with database.read() as connection:
        found = connection.execute("SELECT provider, run_id FROM observed_providers ORDER BY 1").fetchall()
    return {provider: run_id == run.id for provider, run_id in found}


def looks(database: Database, providers: Collection[str]) -> dict[str, Look]:
    """What was last seen of them; who was never seen is left out."""
    with database.read() as connection:
        found = rows(
            connection, "SELECT * FROM observed_providers WHERE list_contains(?, provider)", [sorted(providers)]
        )
    return {row["provider"]: Look.model_validate({**row, "state": json.loads(row["state"])}) for row in found}


def save_looks(connection: Connection, found: Iterable[Look]) -> None:
    """Keep what was seen, within a transaction."""
    values = [
        {**one.model_dump(mode="json", exclude={"state"}), "state": one.state.model_dump(mode="json")} for one in found
    ]
    if values:
        connection.execute(query("save_looks"), {"looks": json_text(values)})


def forget(connection: Connection, providers: Collection[str]) -> None:
    """Forget who is listed no longer, within a transaction."""
    connection.execute("DELETE FROM observed_providers WHERE list_contains(?, provider)", [sorted(providers)])


def published(database: Database) -> dict[str, Published]:
    """Who is served, and what they were added as."""
    with database.read() as connection:
        return {row["provider"]: Published.model_validate(row) for row in rows(connection, query("published"))}


def known_to_the_catalogue(connection: Connection, providers: Collection[str]) -> set[str]:
    """Those of them that have a row, or facts: theirs are kept up to date, within a transaction."""
    sql = (
        "SELECT id FROM providers WHERE list_contains($1, id) UNION "
        "SELECT split_part(subject, '/', 1) FROM facts WHERE list_contains($1, split_part(subject, '/', 1))"
    )
    return {provider for (provider,) in connection.execute(sql, [sorted(providers)]).fetchall()}
