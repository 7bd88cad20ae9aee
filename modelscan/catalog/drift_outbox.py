"""Letters to the operator's webhook: written with the changes they tell of, and kept until they were taken."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text, query, rows, storable
from modelscan.types import DriftEvent, Letter

__all__ = ["Writing", "claim", "counts", "due_at", "forget", "no_letters", "put", "settle"]

Writing = Callable[[Sequence[DriftEvent]], Iterable[Letter]]
"""Makes letters of changes that are new."""


def no_letters(_: Sequence[DriftEvent]) -> Iterable[Letter]:
    """Where there is no webhook."""
    return ()


def put(connection: Connection, letters: Iterable[Letter]) -> None:
    """Keep them to be sent, within the transaction of what they tell of."""
    values = [letter.model_dump(mode="json") for letter in letters]
    if values:
        connection.execute(query("save_letters"), {"letters": json_text(values)})


def due_at(database: Database) -> datetime | None:
    """When the next letter is to be sent, which may be past; None where none waits."""
    with database.read() as connection:
        found = connection.execute("SELECT min(next_at) FROM drift_outbox WHERE state = 'waiting'").fetchone()
    return found[0] if found else None


def claim(database: Database, now: datetime, *, lease: timedelta, most: int) -> tuple[Letter, ...]:
    """Take the letters that are due, the oldest first; nobody else gets them before `lease` is over.

    Whoever dies with them has sent them perhaps: they are sent again, with the same id.
    """
    with database.write() as connection:
        sql = "SELECT * FROM drift_outbox WHERE state = 'waiting' AND next_at <= ? ORDER BY created_at, id LIMIT ?"
        due = [Letter.model_validate(row) for row in rows(connection, sql, [now, most])]
        sql = "UPDATE drift_outbox SET next_at = ?, attempts = attempts + 1 WHERE list_contains(?, id)"
        if due:
            connection.execute(sql, [now + lease, [letter.id for letter in due]])
    return tuple(one.model_copy(update={"attempts": one.attempts + 1, "next_at": now + lease}) for one in due)


def settle(database: Database, letters: Iterable[Letter]) -> None:
    """Store what became of letters that were claimed: their state, when they are due again, and what was answered."""
    with database.write() as connection:
        for letter in letters:
            connection.execute(
                "UPDATE drift_outbox SET state = ?, next_at = ?, said = ? WHERE id = ?",
                [letter.state, letter.next_at, storable(letter.said), letter.id],
            )


def forget(database: Database, before: datetime) -> None:
    """Remove what was sent, or given up, and is older."""
    with database.write() as connection:
        connection.execute("DELETE FROM drift_outbox WHERE state <> 'waiting' AND created_at < ?", [before])


def counts(database: Database) -> dict[str, int]:
    """State -> how many letters are in it."""
    with database.read() as connection:
        return dict(connection.execute("SELECT state, count(*) FROM drift_outbox GROUP BY state").fetchall())
