from datetime import UTC, datetime, timedelta

from modelscan.catalog import drift_outbox
from modelscan.catalog.database import Database
from modelscan.types import Letter

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LEASE = timedelta(minutes=1)


def letter(id_: str, *, due: datetime = NOW, created: datetime = NOW) -> Letter:
    return Letter(id=id_, body='{"type": "modelscan.drift.price"}', created_at=created, next_at=due)


def put(database: Database, *letters: Letter) -> None:
    with database.write() as connection:
        drift_outbox.put(connection, letters)


def ids(found: tuple[Letter, ...]) -> list[str]:
    return [one.id for one in found]


def test_letters_are_claimed_when_they_are_due_the_oldest_first_and_by_one_alone(database: Database) -> None:
    put(database, letter("b"), letter("late", due=NOW + LEASE), letter("a", created=NOW - LEASE))
    claimed = drift_outbox.claim(database, NOW, lease=LEASE, most=5)
    assert ids(claimed) == ["a", "b"]
    assert [one.attempts for one in claimed] == [1, 1]
    assert drift_outbox.claim(database, NOW, lease=LEASE, most=5) == ()


def test_what_nobody_settled_is_due_again_once_its_lease_is_over(database: Database) -> None:
    put(database, letter("a"))
    drift_outbox.claim(database, NOW, lease=LEASE, most=5)
    (again,) = drift_outbox.claim(database, NOW + LEASE, lease=LEASE, most=5)
    assert (again.id, again.attempts) == ("a", 2)


def test_a_settled_letter_is_in_the_state_that_it_was_given(database: Database) -> None:
    put(database, letter("a"), letter("b"))
    first, second = drift_outbox.claim(database, NOW, lease=LEASE, most=5)
    later = second.model_copy(update={"next_at": NOW + timedelta(hours=1), "said": "503 \ud800"})
    drift_outbox.settle(database, [first.model_copy(update={"state": "sent", "said": "204"}), later])
    assert drift_outbox.counts(database) == {"sent": 1, "waiting": 1}
    assert drift_outbox.due_at(database) == NOW + timedelta(hours=1)


def test_nothing_is_due_where_nothing_waits(database: Database) -> None:
    assert drift_outbox.due_at(database) is None
    drift_outbox.settle(database, [])
    put(database)
    assert drift_outbox.counts(database) == {}


def test_only_what_is_over_is_forgotten_once_it_is_old(database: Database) -> None:
    put(database, letter("old", created=NOW - LEASE), letter("waits", created=NOW - LEASE), letter("new"))
    claimed = drift_outbox.claim(database, NOW, lease=LEASE, most=5)
    drift_outbox.settle(database, [one.model_copy(update={"state": "sent"}) for one in claimed if one.id != "waits"])
    drift_outbox.forget(database, NOW)
    assert drift_outbox.counts(database) == {"sent": 1, "waiting": 1}
