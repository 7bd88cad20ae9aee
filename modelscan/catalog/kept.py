"""The files of published versions, kept in the catalogue: a row of a version and its bytes are one transaction."""

from modelscan.catalog.database import Connection, Database
from modelscan.types import Kept

__all__ = ["keep", "kept", "kept_numbers", "prune"]

_IS_KEPT = "SELECT 1 FROM sdk_sources WHERE provider = ? AND version = ?"


def keep(connection: Connection, provider: str, version: int, files: Kept) -> None:
    """Keep them, unless they are: the bytes of a version never change."""
    if connection.execute(_IS_KEPT, [provider, version]).fetchone() is None:
        connection.execute("INSERT INTO sdk_sources VALUES (?, ?, ?, ?)", [provider, version, *files])


def prune(connection: Connection, provider: str, count: int) -> None:
    """Forget the files of all but the newest `count` versions, the active one, and one that is tried."""
    served = (
        "SELECT version FROM sdk_versions WHERE provider = $1 AND active "
        "UNION ALL SELECT version FROM canaries WHERE provider = $1"
    )
    newest = "SELECT version FROM sdk_sources WHERE provider = $1 ORDER BY version DESC LIMIT $2"
    sql = f"DELETE FROM sdk_sources WHERE provider = $1 AND version NOT IN ({served} UNION ALL ({newest}))"  # noqa: S608 - no value in it
    connection.execute(sql, [provider, count])


def kept(database: Database, provider: str, version: int) -> Kept | None:
    """A version's files; None where they are kept no longer, or never were."""
    sql = "SELECT client, test FROM sdk_sources WHERE provider = ? AND version = ?"
    with database.read() as connection:
        found = connection.execute(sql, [provider, version]).fetchone()
    return Kept(*found) if found else None


def kept_numbers(database: Database, provider: str) -> frozenset[int]:
    """The versions of one provider whose files are kept."""
    with database.read() as connection:
        sql = "SELECT version FROM sdk_sources WHERE provider = ?"
        return frozenset(number for (number,) in connection.execute(sql, [provider]).fetchall())
