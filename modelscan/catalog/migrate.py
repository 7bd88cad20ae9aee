"""Numbered migrations, applied once in order; each applied one's name and SHA-256 are recorded and checked."""

import hashlib
from importlib import resources

from modelscan.catalog.connection import Connection, TableMissing
from modelscan.catalog.database import Database
from modelscan.errors import MigrationError
from modelscan.types import utc_now

__all__ = ["migrate", "shipped_migrations"]

_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL
)
"""


def migrate(database: Database, shipped: dict[str, str] | None = None) -> tuple[str, ...]:
    """Bring the catalogue up to date and return the names newly applied.

    Raises MigrationError when an applied migration was edited since, or is not one that this version ships.
    """
    shipped = shipped_migrations() if shipped is None else shipped
    if database.path.exists() and not _missing(shipped, _applied_by_reading(database)):
        return ()
    with database.write() as connection:
        connection.execute(_RECORD)
        missing = _missing(shipped, _applied(connection))
        for name in missing:
            connection.execute(shipped[name])
            connection.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?)", [name, _sha256(shipped[name]), utc_now()]
            )
    return missing


def shipped_migrations() -> dict[str, str]:
    """Name -> SQL of the migrations that come with this version, in order."""
    folder = resources.files("modelscan.catalog") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {file.name.removesuffix(".sql"): file.read_text(encoding="utf-8") for file in files}


def _applied_by_reading(database: Database) -> dict[str, str]:
    with database.read() as connection:
        return _applied(connection)


def _applied(connection: Connection) -> dict[str, str]:
    try:
        return dict(connection.execute("SELECT name, sha256 FROM schema_migrations").fetchall())
    except TableMissing:
        return {}


def _missing(shipped: dict[str, str], applied: dict[str, str]) -> tuple[str, ...]:
    for name, sha256 in applied.items():
        if name not in shipped:
            raise MigrationError(
                f"The catalogue was written by a newer ModelScan: migration {name} is not known to this one.",
                hint="Update ModelScan, or point database.path to another file.",
                migration=name,
            )
        if _sha256(shipped[name]) != sha256:
            raise MigrationError(
                f"Migration {name} was edited after it had been applied.",
                hint="Restore the file as it was released; a change of the schema is a new migration.",
                migration=name,
            )
    return tuple(name for name in shipped if name not in applied)


def _sha256(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()
