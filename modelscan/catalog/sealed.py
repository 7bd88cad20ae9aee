"""All that is sealed under the master key: the providers' keys, and the secrets that ModelScan keeps for itself."""

from collections.abc import Callable

from modelscan.catalog.database import Connection, Database
from modelscan.types import utc_now

__all__ = ["about", "get", "keep", "reseal"]

Change = Callable[[bytes, str], bytes | None]
"""From a ciphertext and what it is about to the one that takes its place; None: it stays as it is."""


def about(name: str) -> str:
    """What the ciphertext of a kept secret is bound to; no provider's id has a colon."""
    return f"secret:{name}"


def get(database: Database, name: str) -> bytes | None:
    """The ciphertext that is kept as `name`."""
    with database.read() as connection:
        return _of(connection, name)


def keep(database: Database, name: str, ciphertext: bytes) -> bytes:
    """Keep it, unless another process was first; what is kept."""
    with database.write() as connection:
        if (kept := _of(connection, name)) is not None:
            return kept
        connection.execute("INSERT INTO sealed_secrets VALUES (?, ?, ?)", [name, ciphertext, utc_now()])
    return ciphertext


def reseal(database: Database, change: Change) -> tuple[int, int]:
    """Put `change(ciphertext, about)` in the place of each, all or none; how many changed, and how many did not."""
    changed = 0
    with database.write() as connection:
        keys = connection.execute("SELECT provider, id, ciphertext FROM api_keys").fetchall()
        for provider, id_, before in keys:
            if (after := change(before, provider)) is not None:
                sql = "UPDATE api_keys SET ciphertext = ? WHERE provider = ? AND id = ?"
                connection.execute(sql, [after, provider, id_])
                changed += 1
        secrets = connection.execute("SELECT name, ciphertext FROM sealed_secrets").fetchall()
        for name, before in secrets:
            if (after := change(before, about(name))) is not None:
                connection.execute("UPDATE sealed_secrets SET ciphertext = ? WHERE name = ?", [after, name])
                changed += 1
    return changed, len(keys) + len(secrets) - changed


def _of(connection: Connection, name: str) -> bytes | None:
    row = connection.execute("SELECT ciphertext FROM sealed_secrets WHERE name = ?", [name]).fetchone()
    return bytes(row[0]) if row else None
