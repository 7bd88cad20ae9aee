"""Changes as they were found, what the operator said of them, and the feed that tells both in order."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.drift_ledger import WENT_BACK, Ledger
from modelscan.catalog.drift_outbox import Writing, no_letters, put
from modelscan.catalog.rows import json_text, query, rows, storable
from modelscan.errors import ChangeNotFound, NotWaiting
from modelscan.types import DriftEvent, DriftKind, DriftState, FeedEntry, utc_now

__all__ = [
    "MOST",
    "Taken",
    "feed",
    "get",
    "judge",
    "last_line",
    "list_events",
    "record",
    "take_up",
    "withdraw",
    "withheld",
    "withheld_in",
]

MOST = 1000
"""Rows of one page."""
_OPEN = {True: (DriftState.HELD, DriftState.REJECTED), False: (DriftState.HELD,)}
"""What can be approved, and what rejected: the operator may think better of a rejection."""


class Taken(NamedTuple):
    """What became of changes that were found."""

    told: tuple[DriftEvent, ...]
    """Each as it stands now, in the order in which they were given."""
    news: tuple[DriftEvent, ...]
    """Those that are new, or are in another state than before."""


def record(database: Database, events: Sequence[DriftEvent]) -> tuple[DriftEvent, ...]:
    """Store changes, each in its state by policy, in one transaction; returns them as they stand now.

    Found again, as after a crash, a change is the same event; one that was rejected is not asked for again. What is
    returned may so have another id, state or value before than what was given: it is in the same order.
    """
    return take_up(database, events).told


def take_up(database: Database, events: Sequence[DriftEvent], writing: Writing = no_letters) -> Taken:
    """`record`, and in the same transaction the letters that `writing` makes of what is new."""
    with database.write() as connection:
        ledger = _ledger(connection, events)
        told = tuple(ledger.enter(event) for event in events)
        _save(connection, ledger, writing)
    news = ledger.written
    return Taken(tuple(news.get(event.id, event) for event in told), tuple(news.values()))


def withdraw(database: Database, events: Iterable[DriftEvent]) -> None:
    """Ask no more for these, which are held: what they would apply is no longer said."""
    with database.write() as connection:
        ledger = Ledger(())
        for event in events:
            if (stored := _found(connection, event.id)).state is DriftState.HELD:
                ledger.close(stored, WENT_BACK)
        _save(connection, ledger)


def judge(
    database: Database,
    event_id: str,
    *,
    approved: bool,
    reason: str = "",
    actor: str | None = None,
    writing: Writing = no_letters,
) -> DriftEvent:
    """Approve what is held or was rejected, or reject what is held; `actor` says who does.

    Raises ChangeNotFound; NotWaiting for all else.
    """
    with database.write() as connection:
        found = _found(connection, event_id)
        if found.state not in _OPEN[approved]:
            raise NotWaiting(
                f"The change {event_id} of {found.subject} does not wait for approval: it is {found.state}.",
                hint="modelscan changes --state held lists those that do.",
                change=event_id,
                state=str(found.state),
            )
        state = DriftState.APPROVED if approved else DriftState.REJECTED
        ledger = Ledger((found,))
        word = {"state": state, "reason": storable(reason), "judged_at": utc_now(), "judged_by": actor}
        judged = ledger.written[found.id] = found.model_copy(update=word)
        _save(connection, ledger, writing)
    return judged


def get(database: Database, event_id: str) -> DriftEvent:
    """One change; raises ChangeNotFound."""
    with database.read() as connection:
        return _found(connection, event_id)


def list_events(
    database: Database,
    *,
    kinds: Collection[DriftKind] | None = None,
    states: Collection[DriftState] | None = None,
    provider: str | None = None,
    since: datetime | None = None,
    before: str | None = None,
    limit: int = MOST,
) -> tuple[DriftEvent, ...]:
    """The changes for which all that is given holds, newest first; older than the one whose id is `before`."""
    asked = {
        "kinds": None if kinds is None else list(map(str, kinds)),
        "states": None if states is None else list(map(str, states)),
        "provider": provider and storable(provider),
        "since": since,
        "before": before and storable(before),
        "limit": limit,
    }
    with database.read() as connection:
        return tuple(_event(row) for row in rows(connection, query("list_drift"), asked))


def withheld(database: Database, provider: str | None = None) -> tuple[DriftEvent, ...]:
    """What must not take effect, of one provider or of all: each field's newest change, if it is held or rejected."""
    with database.read() as connection:
        return withheld_in(connection, provider)


def withheld_in(connection: Connection, provider: str | None = None) -> tuple[DriftEvent, ...]:
    """`withheld` within a transaction."""
    return tuple(_event(row) for row in rows(connection, query("withheld_drift"), {"provider": provider}))


def feed(database: Database, after: int, limit: int = MOST) -> tuple[FeedEntry, ...]:
    """The lines of the feed behind number `after`, in order, each event as it was told then."""
    with database.read() as connection:
        found = rows(connection, query("drift_feed"), {"after": after, "limit": limit})
    return tuple(_line(row) for row in found)


def last_line(database: Database) -> int:
    """The number of the feed's last line; 0 where there is none."""
    with database.read() as connection:
        return _last(connection)


def _ledger(connection: Connection, events: Sequence[DriftEvent]) -> Ledger:
    fields = [event.model_dump(mode="json", include={"kind", "provider", "model", "field"}) for event in events]
    stored = rows(connection, query("drift_of_fields"), {"fields": json_text(fields)})
    return Ledger(map(_event, stored))


def _save(connection: Connection, ledger: Ledger, writing: Writing = no_letters) -> None:
    """As JSON texts, as everything that may be thousands of rows."""
    if not ledger.written:
        return
    now, last = utc_now().isoformat(), _last(connection)
    lines, fresh = [], []
    for seq, event in enumerate(ledger.written.values(), last + 1):
        lines.append({"seq": seq, "event": event.id, "state": event.state, "reason": event.reason, "told_at": now})
        if event.id in ledger.fresh:
            fresh.append({**event.model_dump(mode="json"), "source": event.source, "seq": seq})
        else:
            sql = "UPDATE drift_events SET state = ?, reason = ?, judged_at = ?, judged_by = ? WHERE id = ?"
            connection.execute(sql, [event.state, event.reason, event.judged_at, event.judged_by, event.id])
    connection.execute(query("save_drift"), {"events": json_text(fresh)})
    connection.execute(query("save_drift_feed"), {"lines": json_text(lines)})
    put(connection, writing(tuple(ledger.written.values())))


def _last(connection: Connection) -> int:
    found = connection.execute("SELECT max(seq) FROM drift_feed").fetchone()
    return (found and found[0]) or 0


def _found(connection: Connection, event_id: str) -> DriftEvent:
    found = rows(connection, "SELECT * FROM drift_events WHERE id = ?", [storable(event_id)])
    if not found:
        raise ChangeNotFound(f"There is no change {event_id!r}.", hint="modelscan changes lists them.", change=event_id)
    return _event(found[0])


def _event(row: dict[str, Any]) -> DriftEvent:
    kept = {name: row[name] for name in DriftEvent.model_fields}
    return DriftEvent.model_validate({**kept, "evidence": json.loads(row["evidence"])})


def _line(row: dict[str, Any]) -> FeedEntry:
    event = _event(row).model_copy(update={"state": DriftState(row["told_state"]), "reason": row["told_reason"]})
    return FeedEntry(seq=row["line"], at=row["told_at"], event=event)
