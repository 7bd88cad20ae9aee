from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest

from modelscan.catalog import drift, drift_outbox
from modelscan.catalog.database import Database
from modelscan.catalog.drift_ledger import SUPERSEDED, WENT_BACK
from modelscan.drift.letters import letters
from modelscan.errors import ChangeNotFound, NotWaiting
from modelscan.types import DriftEvent, DriftKind, DriftState, Letter
from tests.drift.looks import AT, change

HELD, APPLIED, IGNORED = DriftState.HELD, DriftState.APPLIED, DriftState.IGNORED
APPROVED, REJECTED = DriftState.APPROVED, DriftState.REJECTED


def states(database: Database) -> list[tuple[str | None, str | None, DriftState]]:
    """Oldest first."""
    return [(one.before, one.after, one.state) for one in reversed(drift.list_events(database))]


def test_a_change_is_read_as_it_was_stored(database: Database) -> None:
    told = drift.record(database, [change("0.1", None), change(None, "listed", kind=DriftKind.MODELS, field="models")])
    assert drift.list_events(database) == tuple(reversed(told))
    assert drift.get(database, told[0].id) == told[0]


def test_recording_nothing_writes_nothing(database: Database) -> None:
    assert drift.record(database, []) == ()
    assert drift.last_line(database) == 0


def test_the_same_change_found_twice_is_one(database: Database) -> None:
    first = drift.record(database, [change()])
    again = drift.record(database, [change(), change(record="r7")])
    assert again == (*first, *first)
    assert len(drift.feed(database, 0)) == 1


def test_a_price_that_goes_to_and_fro_is_a_change_each_time(database: Database) -> None:
    for before, after, record in (("1", "2", "b"), ("2", "1", "a"), ("1", "2", "b")):
        drift.record(database, [change(before, after, record=record, state=APPLIED)])
    assert states(database) == [("1", "2", APPLIED), ("2", "1", APPLIED), ("1", "2", APPLIED)]
    assert len({one.id for one in drift.list_events(database)}) == 3


def test_what_was_rejected_is_not_asked_for_again_whoever_says_it(database: Database) -> None:
    (held,) = drift.record(database, [change("1", "2")])
    drift.judge(database, held.id, approved=False, reason="a typo of theirs", actor="admin token")
    (again,) = drift.record(database, [change("1", "2", record="other")])
    assert (again.id, again.state, again.reason) == (held.id, REJECTED, "a typo of theirs")
    assert again.judged_by == "admin token"
    drift.record(database, [change("1", "3")])
    (third,) = drift.record(database, [change("1", "2", record="third")])
    assert (third.state, third.reason) == (REJECTED, "a typo of theirs")
    assert states(database) == [("1", "2", REJECTED), ("1", "3", IGNORED), ("1", "2", REJECTED)]
    assert [one.id for one in drift.withheld(database)] == [third.id]


def test_a_rejected_value_stays_rejected_whatever_counts_by_then(database: Database) -> None:
    (held,) = drift.record(database, [change("1", "2")])
    drift.judge(database, held.id, approved=False)
    drift.record(database, [change("1", "3", state=APPLIED)])
    assert drift.record(database, [change("3", "2", state=APPLIED)])[0].state is REJECTED


def test_the_operator_may_think_better_of_a_rejection_and_not_of_an_approval(database: Database) -> None:
    (held,) = drift.record(database, [change("1", "2")])
    drift.judge(database, held.id, approved=False)
    assert drift.judge(database, held.id, approved=True).state is APPROVED
    with pytest.raises(NotWaiting):
        drift.judge(database, held.id, approved=False)
    drift.record(database, [change("2", "1", state=APPLIED)])
    assert drift.record(database, [change("1", "2", record="later")])[0].state is HELD


def test_what_was_approved_stays_so(database: Database) -> None:
    (held,) = drift.record(database, [change("1", "2")])
    judged = drift.judge(database, held.id, approved=True, actor="token ops")
    assert judged.judged_at
    assert judged.judged_by == "token ops"
    assert drift.record(database, [change("1", "2")]) == (judged,)
    assert judged.counts


def test_a_newer_value_takes_the_place_of_one_that_is_held(database: Database) -> None:
    drift.record(database, [change("1", "2")])
    drift.record(database, [change("1", "3")])
    assert states(database) == [("1", "2", IGNORED), ("1", "3", HELD)]
    assert drift.list_events(database)[1].reason == SUPERSEDED


def test_a_value_after_one_that_never_counted_is_asked_for_against_what_counts(database: Database) -> None:
    drift.record(database, [change("1", "2")])
    drift.record(database, [change("2", "3")])
    drift.record(database, [change("2", "3")])
    assert states(database) == [("1", "2", IGNORED), ("1", "3", HELD)]


def test_who_goes_back_to_what_counts_asks_nothing(database: Database) -> None:
    drift.record(database, [change("1", "2")])
    for _ in range(2):
        drift.record(database, [change("2", "1", record="r1")])
    assert states(database) == [("1", "2", IGNORED), ("2", "1", APPLIED)]
    assert {one.reason for one in drift.list_events(database)} == {WENT_BACK}
    drift.record(database, [change("1", "2")])
    assert states(database)[2:] == [("1", "2", HELD)]


def test_changes_of_one_field_in_one_batch_are_taken_up_in_their_order(database: Database) -> None:
    told = drift.record(database, [change("1", "2"), change("2", "3")])
    assert [(one.after, one.state) for one in told] == [("2", IGNORED), ("3", HELD)]
    assert len(drift.feed(database, 0)) == 2


def test_another_policy_counts_for_what_waits_and_not_for_what_was_judged(database: Database) -> None:
    (held,) = drift.record(database, [change("1", "2")])
    (ignored,) = drift.record(database, [change("1", "2", state=IGNORED)])
    (asked,) = drift.record(database, [change("1", "2", state=HELD)])
    (applied,) = drift.record(database, [change("1", "2", state=APPLIED)])
    (still,) = drift.record(database, [change("1", "2", state=HELD)])
    assert {one.id for one in (held, ignored, asked, applied, still)} == {held.id}
    assert [one.state for one in (ignored, asked, applied, still)] == [IGNORED, HELD, APPLIED, APPLIED]


def test_only_what_is_held_can_be_judged_and_once(database: Database) -> None:
    (held,) = drift.record(database, [change()])
    drift.judge(database, held.id, approved=True)
    with pytest.raises(NotWaiting, match="it is approved"):
        drift.judge(database, held.id, approved=False)
    with pytest.raises(ChangeNotFound, match="no change 'f00'"):
        drift.judge(database, "f00", approved=True)


def test_a_change_that_is_said_no_more_is_withdrawn(database: Database) -> None:
    held, applied = drift.record(database, [change(), change("3", "4", model="tiny", state=APPLIED)])
    drift.withdraw(database, [held, applied])
    assert [one.state for one in drift.list_events(database)] == [APPLIED, IGNORED]
    drift.withdraw(database, [])
    assert drift.record(database, [change()])[0].state is HELD


def test_the_feed_tells_each_state_in_order_and_begins_where_one_left_off(database: Database) -> None:
    first, second = drift.record(database, [change(), change("5", "6", model="tiny")])
    drift.judge(database, first.id, approved=False, reason="no")
    lines = drift.feed(database, 0)
    assert [line.seq for line in lines] == [1, 2, 3]
    assert [(line.event.id, line.event.state) for line in lines] == [
        (first.id, HELD), (second.id, HELD), (first.id, REJECTED)
    ]  # fmt: skip
    assert [line.seq for line in drift.feed(database, 1, limit=1)] == [2]
    assert drift.feed(database, 3) == ()
    assert drift.last_line(database) == 3


def test_changes_are_listed_by_what_is_asked_the_newest_first(database: Database) -> None:
    late = change("7", "8", provider="bolt").model_copy(update={"found_at": AT + timedelta(days=1)})
    url = change("a", "b", kind=DriftKind.BASE_URL, field="base_url", model=None, state=APPLIED)
    drift.record(database, [change(), url, late])

    def fields(**asked: object) -> list[str]:
        return [one.field for one in drift.list_events(database, **asked)]  # type: ignore[arg-type]

    assert fields(kinds=[DriftKind.BASE_URL]) == ["base_url"]
    assert fields(states=[HELD]) == ["price.input_mtok"] * 2
    assert fields(provider="bolt") == fields(since=AT + timedelta(hours=1)) == ["price.input_mtok"]
    assert fields(limit=2) == ["price.input_mtok", "base_url"]
    assert fields(before=drift.list_events(database, limit=2)[1].id) == ["price.input_mtok"]
    assert fields(kinds=[]) == []


def test_what_must_not_take_effect_is_found_for_one_provider_or_for_all(database: Database) -> None:
    several = [change(), change(provider="bolt", state=IGNORED), change(model="tiny", state=APPLIED)]
    drift.record(database, [*several, change(provider="cargo")])
    assert [one.provider for one in drift.withheld(database)] == ["acme", "cargo"]
    assert [one.subject for one in drift.withheld(database, "acme")] == ["acme/small"]


def test_a_value_after_one_that_was_ignored_by_policy_begins_at_that(database: Database) -> None:
    drift.record(database, [change("1", "2", state=IGNORED)])
    drift.record(database, [change("2", "3", state=IGNORED)])
    assert states(database) == [("1", "2", IGNORED), ("2", "3", IGNORED)]


def test_thousands_of_changes_are_one_transaction(database: Database) -> None:
    found: list[DriftEvent] = [change(str(one), str(one + 1), model=f"m{one}") for one in range(3000)]
    drift.record(database, found)
    assert drift.record(database, found) == drift.record(database, found)
    assert drift.last_line(database) == 3000


def test_what_is_new_is_told_apart_and_written_with_its_letters(database: Database) -> None:
    told: list[list[str]] = []

    def writing(news: Sequence[DriftEvent]) -> Iterable[Letter]:
        told.append([one.subject for one in news])
        return letters(news)

    first = drift.take_up(database, [change(), change(model="tiny")], writing)
    second = drift.take_up(database, [change(), change(model="new")], writing)
    drift.judge(database, first.told[0].id, approved=True, writing=writing)
    assert [len(one.news) for one in (first, second)] == [2, 1]
    assert told == [["acme/small", "acme/tiny"], ["acme/new"], ["acme/small"]]
    assert drift_outbox.counts(database) == {"waiting": 3}


def test_letters_that_cannot_be_written_leave_the_changes_out_as_well(database: Database) -> None:
    def writing(_: Sequence[DriftEvent]) -> Iterable[Letter]:
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        drift.take_up(database, [change()], writing)
    assert drift.list_events(database) == ()
