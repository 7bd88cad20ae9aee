"""Rows of a query as dictionaries, the way pydantic takes them."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from modelscan.catalog.database import Connection

__all__ = ["query", "rows"]


def rows(
    connection: Connection, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> list[dict[str, Any]]:
    """Run `sql` with bound `parameters`; one dictionary a row, by column name."""
    found = connection.execute(sql, parameters)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def query(name: str) -> str:
    """The text of `queries/<name>.sql`."""
    return (resources.files("modelscan.catalog") / "queries" / f"{name}.sql").read_text(encoding="utf-8")
