"""Runs: each discovery, its steps as they happen, and how it ended."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text, rows, storable
from modelscan.errors import DiscoveryNotFound
from modelscan.types import Discovery, DiscoveryStep

__all__ = [
    "changed",
    "create",
    "create_in",
    "found",
    "get",
    "of_flow_run",
    "recent",
    "selected",
    "unfinished",
    "update",
]


def create(database: Database, discovery: Discovery) -> None:
    """Store a new run."""
    with database.write() as connection:
        create_in(connection, discovery)


def create_in(connection: Connection, discovery: Discovery) -> None:
    """`create` within a transaction."""
    connection.execute(
        "INSERT INTO discovery_logs VALUES (?, ?, ?, ?, ?)",
        [discovery.id, discovery.identifier, discovery.state, discovery.created_at, _document(discovery)],
    )


def get(database: Database, discovery_id: str) -> Discovery:
    """One run with its steps; raises DiscoveryNotFound."""
    with database.read() as connection:
        return found(connection, discovery_id)


def of_flow_run(database: Database, flow_run_id: str) -> Discovery | None:
    """The run that this run of Prefect's belongs to, if there is one already."""
    with database.read() as connection:
        return next(iter(selected(connection, "document->>'$.flow_run_id' = ?", [flow_run_id])), None)


def recent(database: Database, limit: int = 50) -> tuple[Discovery, ...]:
    """The newest runs, newest first."""
    sql = "SELECT id, document FROM discovery_logs ORDER BY created_at DESC, id LIMIT ?"
    with database.read() as connection:
        return _told(connection, sql, [limit])


def unfinished(database: Database) -> tuple[Discovery, ...]:
    """The runs that are queued or running, oldest first."""
    with database.read() as connection:
        return selected(connection, "state IN ('queued', 'running')")


def selected(connection: Connection, where: str, parameters: Sequence[object] = ()) -> tuple[Discovery, ...]:
    """The runs for which the condition holds, oldest first, within a transaction."""
    sql = f"SELECT id, document FROM discovery_logs WHERE {where} ORDER BY created_at, id"  # noqa: S608 - our own conditions
    return _told(connection, sql, list(parameters))


def changed(connection: Connection, discovery_id: str, **changes: Any) -> Discovery:
    """Change fields of a run within a transaction. Raises DiscoveryNotFound, ValueError for a bad value."""
    run = Discovery.model_validate({**dict(found(connection, discovery_id)), **changes})
    _store(connection, run)
    return run


def update(database: Database, discovery_id: str, steps: Sequence[DiscoveryStep] = (), **changes: Any) -> Discovery:
    """Store steps as they are now and change fields of the run, in one transaction; returns the run.

    Raises DiscoveryNotFound, ValueError for a bad value.
    """
    with database.write() as connection:
        found(connection, discovery_id)
        if changes:
            changed(connection, discovery_id, **changes)
        for step in steps:
            connection.execute(
                "INSERT OR REPLACE INTO discovery_steps VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    discovery_id,
                    step.seq,
                    storable(step.name),
                    step.state,
                    storable(step.detail),
                    step.started_at,
                    step.ended_at,
                ],
            )
        return found(connection, discovery_id)


def found(connection: Connection, discovery_id: str) -> Discovery:
    """One run within a transaction; raises DiscoveryNotFound."""
    runs = _told(connection, "SELECT id, document FROM discovery_logs WHERE id = ?", [storable(discovery_id)])
    if not runs:
        raise DiscoveryNotFound(
            f"There is no discovery {discovery_id!r}.", hint="GET /api/discoveries lists them.", discovery=discovery_id
        )
    return runs[0]


def _told(connection: Connection, sql: str, parameters: list[object]) -> tuple[Discovery, ...]:
    """The runs that `sql` finds, in its order, each with its steps."""
    documents = connection.execute(sql, parameters).fetchall()
    steps: dict[str, list[DiscoveryStep]] = defaultdict(list)
    sql = "SELECT * FROM discovery_steps WHERE list_contains(?, discovery) ORDER BY discovery, seq"
    for row in rows(connection, sql, [[run_id for run_id, _ in documents]]):
        steps[row.pop("discovery")].append(DiscoveryStep.model_validate(row))
    return tuple(
        Discovery.model_validate_json(document).model_copy(update={"steps": tuple(steps[run_id])})
        for run_id, document in documents
    )


def _store(connection: Connection, run: Discovery) -> None:
    sql = "UPDATE discovery_logs SET state = ?, document = ? WHERE id = ?"
    connection.execute(sql, [run.state, _document(run), run.id])


def _document(run: Discovery) -> str:
    return json_text(run.model_dump(mode="json", exclude={"steps"}))
