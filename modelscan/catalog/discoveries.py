"""Runs: each discovery, its steps as they happen, and how it ended."""

from typing import Any

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import rows
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
    with database.read() as connection:
        ids = connection.execute(
            "SELECT id FROM discovery_logs ORDER BY created_at DESC, id LIMIT ?", [limit]
        ).fetchall()
        return tuple(_get(connection, row[0]) for row in ids)


def unfinished(database: Database) -> tuple[Discovery, ...]:
    """The runs that are queued or running, oldest first."""
    sql = "SELECT id FROM discovery_logs WHERE state IN ('queued', 'running') ORDER BY created_at, id"
    with database.read() as connection:
        return tuple(_get(connection, row[0]) for row in connection.execute(sql).fetchall())


def update(database: Database, discovery_id: str, **changes: Any) -> Discovery:
    """Change fields of a run (not its steps) and return it; raises DiscoveryNotFound."""
    with database.write() as connection:
        changed = _get(connection, discovery_id).model_copy(update=changes)
        _store(connection, changed)
        return changed


def add_attempt(database: Database, discovery_id: str, attempt: Attempt) -> None:
    """Record one loop of proposal and validation."""
    with database.write() as connection:
        run = _get(connection, discovery_id)
        _store(connection, run.model_copy(update={"attempts": (*run.attempts, attempt)}))


def start_step(database: Database, discovery_id: str, name: str, detail: str = "") -> int:
    """Record that a step began; returns its number, for `end_step`."""
    with database.write() as connection:
        sql = "SELECT coalesce(max(seq), 0) + 1 FROM discovery_steps WHERE discovery = ?"
        ((seq,),) = connection.execute(sql, [discovery_id]).fetchall()
        connection.execute(
            "INSERT INTO discovery_steps VALUES (?, ?, ?, 'running', ?, ?, NULL)",
            [discovery_id, seq, name, detail, utc_now()],
        )
        return int(seq)


def end_step(database: Database, discovery_id: str, seq: int, state: str, detail: str = "") -> None:
    """Record how a step ended: `done`, `cached` or `failed`."""
    sql = "UPDATE discovery_steps SET state = ?, detail = ?, ended_at = ? WHERE discovery = ? AND seq = ?"
    with database.write() as connection:
        connection.execute(sql, [state, detail, utc_now(), discovery_id, seq])


def _get(connection: Connection, discovery_id: str) -> Discovery:
    found = connection.execute("SELECT document FROM discovery_logs WHERE id = ?", [discovery_id]).fetchone()
    if found is None:
        raise DiscoveryNotFound(
            f"There is no discovery {discovery_id!r}.", hint="GET /api/discoveries lists them.", discovery=discovery_id
        )
    sql = "SELECT * EXCLUDE (discovery) FROM discovery_steps WHERE discovery = ? ORDER BY seq"
    steps = tuple(DiscoveryStep.model_validate(row) for row in rows(connection, sql, [discovery_id]))
    return Discovery.model_validate_json(found[0]).model_copy(update={"steps": steps})


def _store(connection: Connection, run: Discovery) -> None:
    sql = "UPDATE discovery_logs SET state = ?, document = ? WHERE id = ?"
    connection.execute(sql, [run.state, _document(run), run.id])


def _document(run: Discovery) -> str:
    return run.model_dump_json(exclude={"steps"})
