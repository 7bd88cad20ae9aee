"""A look finds what changed, and takes nothing for a change that only was not heard before."""

from typing import Any

import pytest

from modelscan.errors import SourceUnavailable
from modelscan.rediscovery.looking import Looked, listed_records, look, look_for_prices
from modelscan.types import CatalogueRun, Decision, DriftKind, Look, SourceRecord
from tests.rediscovery.listed import AT, RUN, lists, model, models_dev, prices, provider

OLD = provider("acme", model("small", input=0.5), model("gone"))
NEW = provider("acme", model("small", input=0.6), model("fresh"))
ALLOWED = (DriftKind.MODELS, DriftKind.LIMIT)


def looked_at(
    row: Any, before: Look | None = None, priced: Any = None, run: CatalogueRun = RUN, asked: Any = (), **more: Any
) -> Looked:
    read = lists(models_dev(row) if row else {"other": provider("other")}, priced)
    own = [
        SourceRecord.of(source=name, subject="acme", url="https://acme.example", payload=[name], trusted=False)
        for name in asked
    ]
    records = (*listed_records("acme", read.values()), *own)
    return look("acme", records, run, before, lists=read, asked=asked, **more)


def told(looked: Looked) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(event.field, event.model, event.before, event.after) for event in looked.events]


def before(row: Any = OLD, **more: Any) -> Look:
    after = looked_at(row, **more).after
    assert after
    return after


def test_what_changed_is_told_with_the_run_that_found_it() -> None:
    found = looked_at(NEW, before(), found_by="flow-run")
    assert found.outcome == "changed"
    assert told(found) == [
        ("models", "fresh", None, "listed"),
        ("models", "gone", "listed", None),
        ("price.input_mtok", "small", "0.5", "0.6"),
    ]
    assert {event.run_id for event in found.events} == {"flow-run"}


def test_the_same_records_are_the_same_state_and_are_not_read_again() -> None:
    first = before()
    again = looked_at(OLD, first, run=CatalogueRun(id="next", started_at=AT))
    assert (again.outcome, again.events) == ("unchanged", ())
    assert again.after
    assert (again.after.state, again.after.run_id) == (first.state, "next")
    pending = first.model_copy(update={"pending": True})
    assert looked_at(OLD, pending).outcome == "changed"
    assert (
        looked_at(OLD, first, decisions=[Decision.of("reject", "acme", "name", source="models.dev")]).outcome
        == "changed"
    )


@pytest.mark.parametrize(
    ("heard", "new"), [((), False), (("genai-prices",), False), (("models.dev",), True), (RUN.heard, True)]
)
def test_a_provider_is_new_where_an_earlier_run_heard_the_list_that_has_it(heard: tuple[str, ...], new: bool) -> None:
    found = looked_at(OLD, run=CatalogueRun(id="r", heard=heard, started_at=AT))
    assert told(found) == ([("models", None, None, "listed")] if new else [])


def test_a_provider_that_no_list_has_any_more_is_gone_and_the_list_is_the_evidence() -> None:
    found = looked_at(None, before())
    assert (found.outcome, found.after) == ("gone", None)
    assert told(found) == [("models", None, "listed", None)]
    assert found.events[0].evidence[0].url == "https://models.dev/api.json"


def test_a_provider_whose_list_was_not_there_is_not_told_to_be_gone() -> None:
    silent = lists(None, prices("other", small={"input_mtok": 1}))
    found = look("acme", (), RUN, before(), lists=silent)
    assert (found.outcome, found.events) == ("left", ())


def test_nobody_who_was_never_seen_is_gone() -> None:
    assert looked_at(None).outcome == "unchanged"


def test_a_list_that_was_not_heard_before_changes_nothing() -> None:
    priced = prices(small={"input_mtok": 9, "output_mtok": 9})
    assert told(looked_at(NEW, before(), priced)) == []
    assert told(looked_at(NEW, before(priced=priced), priced)) != []


def test_who_is_asked_from_now_on_changes_no_list_of_models() -> None:
    found = looked_at(NEW, before(), asked=("provider",))
    assert told(found) == [("price.input_mtok", "small", "0.5", "0.6")]


def test_a_row_that_cannot_be_read_is_an_error_of_that_provider() -> None:
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        looked_at(provider("acme", api=["no text"]))


def test_for_prices_only_they_are_told_and_the_rest_is_left_to_be_found() -> None:
    was = before()
    found = look_for_prices(looked_at(NEW, was), ALLOWED)
    assert found.outcome == "changed"
    assert told(found) == [("price.input_mtok", "small", "0.5", "0.6")]
    assert found.after
    assert sorted(found.after.state.models) == ["gone", "small"]
    assert told(looked_at(NEW, found.after)) == [
        ("models", "fresh", None, "listed"),
        ("models", "gone", "listed", None),
    ]


def test_for_prices_a_provider_with_a_change_that_may_be_held_is_left() -> None:
    moved = looked_at({**NEW, "api": "https://elsewhere.example/v1"}, before())
    found = look_for_prices(moved, ALLOWED)
    assert (found.outcome, found.events, found.after) == ("left", (), None)
    assert found.why == "its base url changed"
    held = look_for_prices(looked_at(NEW, before().model_copy(update={"pending": True})), ALLOWED)
    assert (held.outcome, held.why) == ("left", "a change of it is held")


def test_for_prices_who_was_never_seen_is_taken_up_and_told_nothing_of() -> None:
    found = look_for_prices(looked_at(NEW), ALLOWED)
    assert (found.outcome, found.events, found.after) == ("changed", (), None)
    assert found.records


@pytest.mark.parametrize("row", [OLD, None])
def test_for_prices_who_did_not_change_or_is_gone_is_left_as_it_is(row: Any) -> None:
    found = look_for_prices(looked_at(row, before()), ALLOWED)
    assert (found.outcome, found.events) == ("unchanged", ())
