"""Runs: each discovery, its steps as they happen, and how it ended."""

from collections import defaultdict
from typing import Any

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text, rows, storable
from modelscan.errors import DiscoveryNotFound
from modelscan.types import Attempt, Discovery, DiscoveryStep, utc_now

__all__ = ["add_attempt", "create", "end_step", "get", "recent", "start_step", "unfinished", "update"]


def create(database: Database, discovery: Discovery) -> None:
    """Store a new run."""
    with database.write() as connection:
        connection.execute(
            "INSERT INTO discovery_logs VALUES (?, ?, ?, ?, ?)",
            [discovery.id, discovery.identifier, discovery.state, discovery.created_at, _document(discovery)],
        )


def get(database: Database, discovery_id: str) -> Discovery:
    """One run with its steps; raises DiscoveryNotFound."""
    with database.read() as connection:
        return _get(connection, discovery_id)


def recent(database: Database, limit: int = 50) -> tuple[Discovery, ...]:
    """The newest runs, newest first."""
    sql = "SELECT id, document FROM discovery_logs ORDER BY created_at DESC, id LIMIT ?"
    with database.read() as connection:
        return _told(connection, sql, [limit])


def unfinished(database: Database) -> tuple[Discovery, ...]:
    """The runs that are queued or running, oldest first."""
    sql = "SELECT id, document FROM discovery_logs WHERE state IN ('queued', 'running') ORDER BY created_at, id"
    with database.read() as connection:
        return _told(connection, sql, [])


def update(database: Database, discovery_id: str, **changes: Any) -> Discovery:
    """Change fields of a run (not its steps) and return it; raises DiscoveryNotFound, ValueError for a bad value."""
    with database.write() as connection:
        run = _get(connection, discovery_id)
        changed = Discovery.model_validate({**dict(run), **changes})
        _store(connection, changed)
        return changed


def add_attempt(database: Database, discovery_id: str, attempt: Attempt) -> None:
    """Record one loop of proposal and validation; raises DiscoveryNotFound."""
    with database.write() as connection:
        run = _get(connection, discovery_id)
        _store(connection, run.model_copy(update={"attempts": (*run.attempts, attempt)}))


def start_step(database: Database, discovery_id: str, name: str, detail: str = "") -> int:
    """Record that a step began; returns its number, for `end_step`. Raises DiscoveryNotFound."""
    with database.write() as connection:
        seq = len(_get(connection, discovery_id).steps) + 1
        connection.execute(
            "INSERT INTO discovery_steps VALUES (?, ?, ?, 'running', ?, ?, NULL)",
            [discovery_id, seq, storable(name), storable(detail), utc_now()],
        )
        return seq


def end_step(database: Database, discovery_id: str, seq: int, state: str, detail: str = "") -> None:
    """Record how a step ended: `done`, `cached` or `failed`."""
    sql = "UPDATE discovery_steps SET state = ?, detail = ?, ended_at = ? WHERE discovery = ? AND seq = ?"
    with database.write() as connection:
        connection.execute(sql, [state, storable(detail), utc_now(), discovery_id, seq])


def _get(connection: Connection, discovery_id: str) -> Discovery:
    found = _told(connection, "SELECT id, document FROM discovery_logs WHERE id = ?", [storable(discovery_id)])
    if not found:
        raise DiscoveryNotFound(
            f"There is no discovery {discovery_id!r}.", hint="GET /api/discoveries lists them.", discovery=discovery_id
        )
    return found[0]


def _told(connection: Connection, sql: str, parameters: list[object]) -> tuple[Discovery, ...]:
    """The runs that `sql` finds, in its order, each with its steps."""
    documents = connection.execute(sql, parameters).fetchall()
    steps: dict[str, list[DiscoveryStep]] = defaultdict(list)
    found = "SELECT * FROM discovery_steps WHERE list_contains(?, discovery) ORDER BY discovery, seq"
    for row in rows(connection, found, [[run_id for run_id, _ in documents]]):
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
