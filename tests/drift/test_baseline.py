import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.drift.baseline import baseline, moot
from modelscan.drift.comparing import differences
from modelscan.types import DriftEvent, DriftKind, DriftState, ProviderState
from tests.drift.looks import change, look, model

BEFORE = look("r1", {"small": model("r1", input="1"), "old": model("r1", input="5")})
AFTER = look(
    "r2", {"small": model("r2", context="9000", input="2", output="3"), "new": model("r2")}, base_url="https://b.test"
)
HELD, REJECTED = DriftState.HELD, DriftState.REJECTED


def stated(state: DriftState, *kinds: DriftKind) -> list[DriftEvent]:
    """What was found between the two: those kinds in that state, the others applied."""
    return [
        one.model_copy(update={"state": state if one.kind in kinds else DriftState.APPLIED})
        for one in differences(BEFORE, AFTER)
    ]


def test_what_is_applied_is_the_new_baseline() -> None:
    assert baseline(BEFORE, AFTER, stated(HELD)) is AFTER
    assert baseline(BEFORE, AFTER, stated(DriftState.IGNORED, *DriftKind)) is AFTER


@pytest.mark.parametrize("state", [HELD, REJECTED])
def test_what_is_withheld_is_found_again_by_the_next_look_and_nothing_else(state: DriftState) -> None:
    found = stated(state, DriftKind.BASE_URL, DriftKind.PRICE, DriftKind.MODELS, DriftKind.LIMIT)
    kept = baseline(BEFORE, AFTER, found)
    assert kept
    assert [(one.field, one.model, one.before, one.after) for one in differences(kept, AFTER)] == [
        (one.field, one.model, one.before, one.after) for one in found
    ]


def test_a_price_that_is_withheld_leaves_the_other_values_of_its_model_new() -> None:
    kept = baseline(BEFORE, AFTER, stated(HELD, DriftKind.PRICE))
    assert kept
    small = kept.models["small"]
    assert {name: one.value for name, one in small.prices.items()} == {"input_mtok": "1"}
    assert small.limits["context_tokens"].value == "9000"
    assert set(kept.models) == {"small", "new"}


def test_a_baseline_names_the_records_that_it_rests_on_and_no_other() -> None:
    kept = baseline(BEFORE, AFTER, stated(HELD, DriftKind.BASE_URL))
    assert kept
    assert set(kept.evidence) == {"r1", "r2"}
    later = look("r3", {id_: model("r3") for id_ in kept.models}, base_url="https://b.test")
    kept = baseline(kept, later, [one for one in differences(kept, later) if one.kind is DriftKind.BASE_URL])
    assert kept
    assert set(kept.evidence) == {"r1", "r3"}


@pytest.mark.parametrize(("before", "after"), [(None, BEFORE), (BEFORE, None)])
def test_a_provider_that_came_or_went_is_there_or_not_as_the_operator_says(
    before: ProviderState | None, after: ProviderState | None
) -> None:
    (found,) = differences(before, after)
    assert baseline(before, after, [found]) == before
    assert baseline(before, after, [found.model_copy(update={"state": DriftState.APPROVED})]) == after


def test_what_no_source_says_is_not_put_back() -> None:
    behaviour = change("passed", "failed", kind=DriftKind.BEHAVIOUR, field="tool_call")
    assert baseline(BEFORE, AFTER, [behaviour]) is AFTER


def test_a_change_is_moot_once_its_value_is_said_no_more() -> None:
    held = differences(BEFORE, AFTER)
    assert moot(held, AFTER) == ()
    assert moot(held, BEFORE) == held
    third = look("r3", {"small": model("r3", context="9000", input="2.0", output="4"), "new": model("r3")})
    assert [one.field for one in moot(held, third)] == ["base_url", "price.output_mtok"]


def test_only_what_is_held_of_that_provider_and_is_compared_can_be_moot() -> None:
    judged = [change("1", "7", state=REJECTED), change("1", "7", provider="bolt")]
    behaviour = change("passed", "failed", kind=DriftKind.BEHAVIOUR, field="tool_call")
    assert moot([*judged, behaviour], AFTER) == ()


def test_a_provider_that_is_back_makes_its_removal_moot() -> None:
    (went,) = differences(BEFORE, None)
    assert moot([went], AFTER) == (went,)
    (came,) = differences(None, BEFORE)
    assert moot([came], AFTER) == ()


fields = st.dictionaries(st.sampled_from(["input", "output"]), st.sampled_from(["1", "2"]))
listed = st.dictionaries(st.sampled_from(["a", "b"]), fields, min_size=1)


@given(listed, listed, st.data())
def test_whatever_is_withheld_the_next_look_finds_just_that(
    old: dict[str, dict[str, str]], new: dict[str, dict[str, str]], data: st.DataObject
) -> None:
    before = look("r1", {id_: model("r1", **rates) for id_, rates in old.items()})
    after = look("r2", {id_: model("r2", **rates) for id_, rates in new.items()}, base_url="https://b.test")
    states = st.sampled_from([HELD, REJECTED, DriftState.APPLIED])
    found = [one.model_copy(update={"state": data.draw(states)}) for one in differences(before, after)]
    again = differences(baseline(before, after, found), after)
    assert [(one.model, one.field, one.after) for one in again] == [
        (one.model, one.field, one.after) for one in found if not one.counts
    ]
