"""What was done to have which version served: a row for each step, written in the transaction of that step."""

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import query, rows, storable
from modelscan.types import Activation, ActivationKind, CanaryCounts, utc_now

__all__ = ["history", "history_in", "note"]

_ACTIVE = "SELECT version FROM sdk_versions WHERE provider = ? AND active"


def note(
    connection: Connection,
    provider: str,
    generation: int,
    kind: ActivationKind,
    version: int,
    *,
    actor: str,
    why: str = "",
    seen: CanaryCounts | None = None,
) -> Activation:
    """Write a row of the history; `before` is what is active at that moment."""
    active = connection.execute(_ACTIVE, [provider]).fetchone()
    noted = Activation(
        generation=generation,
        provider=provider,
        kind=kind,
        version=version,
        before=active[0] if active else None,
        actor=actor,
        why=storable(why),
        counts=seen,
        at=utc_now(),
    )
    row = {**noted.model_dump(mode="python"), "counts": seen.model_dump_json() if seen else None}
    connection.execute(query("save_activation"), row)
    return noted


def history(database: Database, provider: str | None = None) -> tuple[Activation, ...]:
    """What was done, of one provider or of all, newest first."""
    with database.read() as connection:
        return history_in(connection, provider)


def history_in(connection: Connection, provider: str | None = None) -> tuple[Activation, ...]:
    """`history` within a transaction."""
    sql = "SELECT * FROM activations WHERE $1 IS NULL OR provider = $1 ORDER BY generation DESC, rowid DESC"
    found = rows(connection, sql, [provider])
    return tuple(
        Activation.model_validate({**row, "counts": CanaryCounts.model_validate_json(told) if told else None})
        for row in found
        for told in [row["counts"]]
    )
