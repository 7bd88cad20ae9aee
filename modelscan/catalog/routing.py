"""The routing rules that were set while the service ran, or between its runs; one for a name and a client."""

import json

from modelscan.catalog.database import Database
from modelscan.catalog.rows import json_text, rows, storable
from modelscan.errors import RuleNotFound
from modelscan.settings import RoutingRule
from modelscan.types import utc_now

__all__ = ["delete", "list_rules", "save"]


def save(database: Database, rule: RoutingRule) -> None:
    """Store a rule, in place of the one for the same name and client."""
    values = [rule.match, rule.client, json_text(rule.model_dump(mode="json")), utc_now()]
    with database.write() as connection:
        connection.execute("INSERT OR REPLACE INTO routing_rules VALUES (?, ?, ?, ?)", values)


def list_rules(database: Database) -> tuple[RoutingRule, ...]:
    """All of them."""
    with database.read() as connection:
        found = rows(connection, 'SELECT rule FROM routing_rules ORDER BY "match", client')
    return tuple(RoutingRule.model_validate(json.loads(row["rule"])) for row in found)


def delete(database: Database, match: str, client: str = "*") -> RoutingRule:
    """Remove one, and return it; raises RuleNotFound."""
    with database.write() as connection:
        sql = 'DELETE FROM routing_rules WHERE "match" = ? AND client = ? RETURNING rule'
        found = rows(connection, sql, [storable(match), storable(client)])
    if not found:
        raise RuleNotFound(
            f"No rule for {match!r} of client {client!r} was set here.",
            hint="modelscan routes lists them; one of the configuration is changed there.",
            match=match,
            client=client,
        )
    return RoutingRule.model_validate(json.loads(found[0]["rule"]))
