"""Rows of a query as dictionaries, the way pydantic takes them; text and JSON the way DuckDB takes them."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from modelscan.catalog.database import Connection

__all__ = ["json_text", "query", "rows", "storable"]


def rows(
    connection: Connection, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> list[dict[str, Any]]:
    """Run `sql` with bound `parameters`; one dictionary a row, by column name."""
    found = connection.execute(sql, parameters)
    return [dict(zip(found.names, values, strict=True)) for values in found.values]


def query(name: str) -> str:
    """The text of `queries/<name>.sql`."""
    return (resources.files("modelscan.catalog") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def storable(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate: JSON may carry them ("\\ud800"), UTF-8 and so DuckDB cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def json_text(value: Any) -> str:
    """`value` as JSON that DuckDB takes."""
    return storable(json.dumps(value, ensure_ascii=False))
