"""What the operator decided about fields; it stays until it is undone, whatever the sources say later."""

import json

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text, rows, storable
from modelscan.errors import DecisionNotFound
from modelscan.types import Decision

__all__ = ["decisions_in", "delete", "list_decisions", "save"]


def save(database: Database, decision: Decision) -> None:
    """Store a decision, in place of the same one made before."""
    values = {**decision.model_dump(mode="python"), "value": json_text(decision.value)}
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${name}" for name in values)
    with database.write() as connection:
        connection.execute(f"INSERT OR REPLACE INTO decisions ({names}) VALUES ({places})", values)  # noqa: S608 - our own field names


def list_decisions(database: Database, provider: str | None = None) -> tuple[Decision, ...]:
    """Those on one provider and its models, or all, by subject and field."""
    with database.read() as connection:
        return decisions_in(connection, provider)


def decisions_in(connection: Connection, provider: str | None = None) -> tuple[Decision, ...]:
    """`list_decisions` within a transaction."""
    sql = "SELECT * FROM decisions WHERE $1 IS NULL OR subject = $1 OR starts_with(subject, $1 || '/')"
    found = rows(connection, f"{sql} ORDER BY subject, field, kind, source", [provider])
    return tuple(Decision.model_validate({**row, "value": json.loads(row["value"])}) for row in found)


def delete(database: Database, decision_id: str) -> Decision:
    """Undo one, and return it; raises DecisionNotFound."""
    with database.write() as connection:
        sql = "DELETE FROM decisions WHERE id = ? RETURNING *"
        found = rows(connection, sql, [storable(decision_id)])
    if not found:
        raise DecisionNotFound(
            f"There is no decision {decision_id!r}.",
            hint="modelscan conflicts decisions lists them.",
            decision=decision_id,
        )
    return Decision.model_validate({**found[0], "value": json.loads(found[0]["value"])})
