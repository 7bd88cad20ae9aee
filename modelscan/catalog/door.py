"""The operator's own SQL: one SELECT over views without secrets, with no way to a file, limited in time and rows."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelscan.catalog.connection import Refused, Rows
from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import query
from modelscan.errors import InvalidInput

if TYPE_CHECKING:
    from modelscan.catalog.engine import Engine

__all__ = ["VIEWS", "ask"]

_OWN = "SELECT * FROM catalogue."
VIEWS: Mapping[str, str] = {
    "activations": f"{_OWN}activations",
    "changes": f"{_OWN}drift_events",
    "clients": f"{_OWN}sdk_versions",
    "decisions": f"{_OWN}decisions",
    "discoveries": "SELECT id, identifier, state, created_at FROM catalogue.discovery_logs",
    "facts": f"{_OWN}facts",
    "keys": "SELECT id, provider, prefix, host, origin, state, created_at, requests, tokens FROM catalogue.api_keys",
    "models": f"{_OWN}models",
    "prices": f"{_OWN}price_versions",
    "providers": f"{_OWN}providers",
    "reprices": f"{_OWN}reprices",
    "rules": f"{_OWN}routing_rules",
    "sources": "SELECT id, source, subject, url, fetched_at, trusted, stale, note FROM catalogue.source_records",
    "tokens": "SELECT id, name, role, prefix, created_at, expires_at, revoked_at, terms FROM catalogue.client_tokens",
    "usage": "SELECT * EXCLUDE (batch, latency_bucket, first_byte_bucket) FROM catalogue.usage_tracking",
    "usage_by_day": query("door_rollups").format(grain="day"),
    "usage_by_hour": query("door_rollups").format(grain="hour"),
}
"""What may be asked: no view holds a ciphertext, or what a key or a token is known by."""
_MADE_UP = frozenset({"generate_series", "range", "unnest"})
"""Functions that make rows of their arguments."""
_FORBIDDEN = frozenset({"current_setting", "getenv", "nextval", "write_log"})
_LONGEST = 100_000


class _Door(Database):
    @cached_property
    def _engine(self) -> "Engine":
        from modelscan.catalog.engine import SealedEngine

        return SealedEngine(self.path, VIEWS)


def ask(database: Database, sql: str, *, rows: int = 1000, seconds: float = 10.0) -> tuple[Rows, bool]:
    """What `sql`, a single SELECT over VIEWS, says: `rows` rows at most, and whether there were more.

    Raises InvalidInput for anything else, for what DuckDB refuses, and for what takes longer than `seconds`.
    """
    if len(sql) > _LONGEST:
        raise InvalidInput("The statement is too long.", hint=f"Write at most {_LONGEST} characters.")
    with _Door(database.path, database.wait_seconds).read() as connection:
        try:
            _check(connection, sql)
            found = connection.limited(sql, rows, seconds)  # type: ignore[attr-defined]  # its engine is the sealed one
        except Refused as error:
            raise InvalidInput(f"DuckDB refused it: {error}", hint=_hint()) from error
        except TimeoutError:
            raise InvalidInput(f"It took longer than {seconds:g} s.", hint="Ask for less, or give it longer.") from None
    return Rows(found.names, found.values[:rows]), len(found.values) > rows


def _check(connection: Connection, sql: str) -> None:
    """Raises InvalidInput for what is not one SELECT, and for what is read but no view."""
    tree = json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).values[0][0])
    if tree["error"]:
        raise InvalidInput(f"Only a SELECT can be asked: {tree['error_message']}", hint=_hint())
    if len(tree["statements"]) != 1:
        raise InvalidInput("Only one statement can be asked at once.", hint=_hint())
    nodes = list(_nodes(tree["statements"]))
    known = {*VIEWS, *(one["key"].lower() for node in nodes for one in (node.get("cte_map") or {}).get("map", ()))}
    for node in nodes:
        if told := _refused(node, known):
            raise InvalidInput(f"{told[:80]} cannot be asked here.", hint=_hint())


def _refused(node: Mapping[str, Any], known: set[str]) -> str:
    """What of this node may not be; empty where all may."""
    kind = node.get("type")
    if kind == "BASE_TABLE":
        name = ".".join(part for part in (node["catalog_name"], node["schema_name"], node["table_name"]) if part)
        return "" if name.lower() in known else name
    if kind == "TABLE_FUNCTION":
        name = str((node.get("function") or {}).get("function_name", "a table function"))
        return "" if name.lower() in _MADE_UP else name
    if kind == "SHOW_REF" and not node.get("query"):
        return "SHOW"
    name = str(node.get("function_name", "")).lower()
    return name if name in _FORBIDDEN else ""


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            yield one
            rest += one.values()
        elif isinstance(one, list):
            rest += one


def _hint() -> str:
    return f"Ask one SELECT over {', '.join(VIEWS)}. DESCRIBE usage lists a view's columns."
