"""The `settings` table: values that belong to the catalogue itself, by key."""

from modelscan.catalog.database import Connection

__all__ = ["get_option", "set_option"]


def get_option(connection: Connection, key: str, default: str = "") -> str:
    """The value of `key`."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", [key]).fetchone()
    return str(row[0]) if row else default


def set_option(connection: Connection, key: str, value: str) -> None:
    """Write the value of `key`."""
    connection.execute(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value]
    )
