"""Old history goes, and never what decides something still."""

from datetime import UTC, datetime, timedelta

from modelscan.catalog import drift, drift_outbox, health
from modelscan.catalog.database import Database
from modelscan.catalog.forgetting import forget_history
from modelscan.catalog.history import history
from modelscan.types import DriftState, HealthChange, Letter, utc_now
from tests.drift.looks import change

HELD, APPLIED, REJECTED = DriftState.HELD, DriftState.APPLIED, DriftState.REJECTED
OLD = datetime(2020, 1, 1, tzinfo=UTC)
LATER = timedelta(days=400)


def test_of_old_changes_stay_the_newest_of_each_field_and_those_held_or_rejected(database: Database) -> None:
    drift.record(database, [change("1", "2", state=APPLIED), change("1", "9", model="other", state=APPLIED)])
    (held,) = drift.record(database, [change("2", "3")])
    drift.judge(database, held.id, approved=False)
    newest = drift.record(database, [change("2", "4", state=APPLIED), change("5", "6", model="waits")])
    lines_but_the_last, superseded = 5, 1
    assert forget_history(database, utc_now() + LATER) == lines_but_the_last + superseded
    kept = drift.list_events(database)
    assert [(one.after, one.state) for one in reversed(kept)] == [
        ("9", APPLIED),
        ("3", REJECTED),
        ("4", APPLIED),
        ("6", HELD),
    ]
    assert [one.id for one in drift.withheld(database)] == [newest[1].id]


def test_the_feed_is_numbered_on_behind_what_was_removed(database: Database) -> None:
    told = drift.record(database, [change("1", "2"), change("1", "2", model="b"), change("1", "2", model="c")])
    assert forget_history(database, utc_now() + LATER) == 2
    assert [line.seq for line in drift.feed(database, 0)] == [3]
    drift.judge(database, told[0].id, approved=True)
    assert [(line.seq, line.event.id) for line in drift.feed(database, 0)] == [(3, told[2].id), (4, told[0].id)]


def test_nothing_goes_that_is_not_old_nor_a_change_that_the_feed_still_tells(database: Database) -> None:
    drift.record(database, [change("1", "2", state=APPLIED)])
    drift.record(database, [change("2", "3", state=APPLIED)])
    with database.write() as connection:
        connection.execute("UPDATE drift_events SET found_at = ?", [OLD])
    assert forget_history(database, utc_now() - LATER) == 0
    assert [line.seq for line in drift.feed(database, 0)] == [1, 2]


def test_old_letters_go_also_those_that_nobody_sends_any_more(database: Database) -> None:
    letters = [
        Letter(id=name, body="{}", created_at=at, state="waiting", attempts=0, next_at=at, said="")
        for name, at in (("old", OLD), ("new", utc_now()))
    ]
    with database.write() as connection:
        drift_outbox.put(connection, letters)
    assert forget_history(database, utc_now() - LATER) == 1
    assert drift_outbox.counts(database) == {"waiting": 1}


def test_each_provider_keeps_its_last_state(database: Database) -> None:
    day = timedelta(days=1)
    health.record(
        database,
        (
            HealthChange(provider="acme", before="unknown", after="up", at=OLD),
            HealthChange(provider="acme", before="up", after="down", at=OLD + day),
            HealthChange(provider="other", before="unknown", after="up", at=OLD),
        ),
    )
    assert forget_history(database, utc_now()) == 1
    assert sorted((one.provider, one.after) for one in health.latest(database)) == [("acme", "down"), ("other", "up")]


def test_of_activations_go_those_of_versions_that_are_gone_and_were_never_rolled_back(database: Database) -> None:
    steps = [
        ("published", 1, None),
        ("published", 2, 1),
        ("published", 3, 2),
        ("rolled-back", 2, 3),
        ("published", 4, 2),
        ("canary-rolled-back", 5, 4),
        ("published", 6, 4),
        ("published", 7, 6),
        ("published", 8, 7),
    ]
    with database.write() as connection:
        for generation, (kind, version, before) in enumerate(steps, 1):
            connection.execute(
                "INSERT INTO activations VALUES (?, 'acme', ?, ?, ?, 'operator', '', NULL, ?)",
                [generation, kind, version, before, OLD],
            )
        connection.execute("INSERT INTO sdk_sources VALUES ('acme', 8, '', '')")
    assert forget_history(database, OLD) == 0
    assert forget_history(database, utc_now()) == 5
    assert [one.generation for one in history(database)] == [9, 6, 4, 3]
