"""How providers were doing: each change of a state, and what chats of ours cost that asked for it."""

import json
import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text, query, rows, storable
from modelscan.types import HealthChange

__all__ = ["history", "latest", "record", "reserve_chat", "settle_chat", "spent_since"]

_KEPT = timedelta(days=366)
_LAST_FIRST = '"at" DESC, rowid DESC'


def record(database: Database, changes: tuple[HealthChange, ...]) -> int:
    """Store changes, in their order; returns how many were news. One that another router told already is not: the
    state is the one that the provider's last row says."""
    with database.write() as connection:
        return sum(_stored(connection, one) for one in changes)


def _stored(connection: Connection, change: HealthChange) -> bool:
    sql = f'SELECT "after" FROM health_changes WHERE provider = ? ORDER BY {_LAST_FIRST} LIMIT 1'  # noqa: S608 - no value in it
    last = connection.execute(sql, [change.provider]).fetchone()
    if (last[0] if last else "unknown") == change.after:
        return False
    evidence = change.evidence and json_text(change.evidence.model_dump(mode="json"))
    values = [change.provider, change.before, change.after, change.at, evidence]
    connection.execute("INSERT INTO health_changes VALUES (?, ?, ?, ?, ?)", values)
    return True


def latest(database: Database) -> tuple[HealthChange, ...]:
    """The last change of each provider."""
    with database.read() as connection:
        return tuple(map(_read, rows(connection, query("latest_health"))))


def history(database: Database, provider: str | None = None, limit: int = 100) -> tuple[HealthChange, ...]:
    """The changes of one provider or of all, newest first."""
    sql = f"SELECT * FROM health_changes WHERE $1 IS NULL OR provider = $1 ORDER BY {_LAST_FIRST} LIMIT $2"  # noqa: S608 - no value in it
    with database.read() as connection:
        return tuple(map(_read, rows(connection, sql, [provider and storable(provider), limit])))


def _read(row: dict[str, object]) -> HealthChange:
    evidence = row["evidence"]
    return HealthChange.model_validate({**row, "evidence": json.loads(str(evidence)) if evidence else None})


def reserve_chat(
    database: Database, provider: str, model: str, *, most: Decimal, cap: Decimal, at: datetime
) -> str | None:
    """Keep `most` US dollars for a chat, and return its id; None where `cap`, of `at`'s day in UTC, leaves no room.

    One transaction: several routers on a catalogue do not spend it twice, nor does one that was started again.
    """
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    with database.write() as connection:
        if _spent(connection, day) + most > cap:
            return None
        chat = uuid.uuid4().hex
        connection.execute(
            "INSERT INTO health_chats VALUES (?, ?, ?, ?, ?, NULL)", [chat, provider, model, at, str(most)]
        )
        connection.execute('DELETE FROM health_chats WHERE "at" < ?', [at - _KEPT])
    return chat


def settle_chat(database: Database, chat: str, cost: Decimal | None) -> None:
    """What it did cost; None: that is unknown, and it goes on counting as the most it may have been."""
    with database.write() as connection:
        connection.execute(
            "UPDATE health_chats SET cost_usd = ? WHERE id = ?", [None if cost is None else str(cost), chat]
        )


def spent_since(database: Database, since: datetime) -> Decimal:
    """US dollars that count since then."""
    with database.read() as connection:
        return _spent(connection, since)


def _spent(connection: Connection, since: datetime) -> Decimal:
    ((spent,),) = connection.execute(query("health_spent"), [since]).fetchall()
    return Decimal(str(spent))
