from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.drift.comparing import differences
from modelscan.types import DriftEvent, DriftEvidence, DriftKind, ProviderState
from tests.catalog.samples import record
from tests.drift.looks import AT, evidence, look, model

PRICED = {"small": model("r1", input="0.1", output="0.2")}


def told(*events: DriftEvent) -> list[tuple[str, str | None, str, str | None, str | None]]:
    return [(str(one.kind), one.model, one.field, one.before, one.after) for one in events]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (look("r2"), []),
        (look("r2", {"small": model("r2", input="0.10", output="0.200")}), []),
        (
            look("r2", {"small": model("r2", input="0.15", output="0.2")}),
            [("price", "small", "price.input_mtok", "0.1", "0.15")],
        ),
        (look("r2", {"small": model("r2", output="0.2")}), [("price", "small", "price.input_mtok", "0.1", None)]),
        (
            look("r2", {"small": model("r2", input="0.1", output="0.2", cache_read="0")}),
            [("price", "small", "price.cache_read_mtok", None, "0")],
        ),
        (
            look("r2", {"small": model("r2", context="9000", input="0.1", output="0.2")}),
            [("limit", "small", "context_tokens", "8000", "9000")],
        ),
        (
            look("r2", {"tiny": model("r2")}),
            [("models", "small", "models", "listed", None), ("models", "tiny", "models", None, "listed")],
        ),
        (
            look("r2", base_url="https://new.acme.test"),
            [("base_url", None, "base_url", "https://api.acme.test/v1", "https://new.acme.test")],
        ),
        (look("r2", protocol="other"), [("protocol", None, "protocol", "openai_chat", "other")]),
        (look("r2", auth=None), [("auth", None, "auth", "key in Authorization Bearer", None)]),
    ],
)
def test_each_value_that_differs_is_one_change(
    after: ProviderState, expected: list[tuple[str, str | None, str, str | None, str | None]]
) -> None:
    assert told(*differences(look(), after)) == expected


def test_a_change_says_which_records_say_so_the_new_one_first() -> None:
    (found,) = differences(look("r1"), look("r2", base_url="https://new.acme.test"), found_at=AT, run_id="run-1")
    assert [one.record for one in found.evidence] == ["r2", "r1"]
    assert (found.source, found.found_at, found.run_id, found.subject) == ("models.dev", AT, "run-1", "acme")


def test_evidence_names_the_record_that_was_stored() -> None:
    stored = record()
    assert DriftEvidence.of(stored).model_dump() == {
        name: getattr(stored, name if name != "record" else "id") for name in ("record", "source", "url", "fetched_at")
    }


def test_a_value_that_is_no_longer_said_rests_on_the_record_that_is_silent() -> None:
    (found,) = differences(look("r1"), look("r2", {"small": model("r2", output="0.2")}))
    assert [one.record for one in found.evidence] == ["r2", "r1"]


def test_a_provider_that_came_is_one_change_and_so_is_one_that_went() -> None:
    (came,) = differences(None, look("r1"))
    (went,) = differences(look("r1"), None, said=evidence("r9", "genai-prices"))
    assert told(came, went) == [
        ("models", None, "models", None, "listed"),
        ("models", None, "models", "listed", None),
    ]
    assert [one.record for one in came.evidence] == ["r1"]
    assert [(one.record, one.source) for one in went.evidence] == [("r9", "genai-prices"), ("r1", "models.dev")]


def test_where_nothing_was_and_nothing_is_nothing_changed() -> None:
    assert differences(None, None) == ()


def test_a_provider_that_went_without_a_record_that_says_so_keeps_the_old_one() -> None:
    (went,) = differences(look("r1"), None)
    assert [one.record for one in went.evidence] == ["r1"]


def test_the_same_change_has_the_same_id_and_another_value_another() -> None:
    after = look("r2", base_url="https://new.acme.test")
    (one,), (again,) = differences(look("r1"), after), differences(look("r1"), after)
    (other,) = differences(look("r1"), look("r2", base_url="https://newer.acme.test"))
    (elsewhere,) = differences(look("r1"), look("r3", base_url="https://new.acme.test"))
    assert one.id == again.id
    assert len({one.id, other.id, elsewhere.id, one.derived(1).id}) == 4


def test_hostile_text_is_kept_whole_enough_to_be_told_apart() -> None:
    long = "https://api.acme.test/" + "x" * 9000
    (found,) = differences(look(), look("r2", base_url=long))
    (other,) = differences(look(), look("r2", base_url=long + "y"))
    (half,) = differences(look(), look("r2", base_url="https://a\ud800\0"))
    assert found.after
    assert other.after
    assert len(found.after) < 8100
    assert found.after != other.after
    assert half.after == "https://a\ufffd\ufffd"


prices = st.dictionaries(
    st.sampled_from(["input_mtok", "output_mtok"]), st.decimals("0", "99", places=3).map(str), max_size=2
)
models = st.dictionaries(st.sampled_from(["a", "b", "c"]), prices, max_size=3)


def state(record: str, listed: dict[str, dict[str, str]]) -> ProviderState:
    made = {id_: model(record, context=None, **_by_short_name(rates)) for id_, rates in listed.items()}
    return ProviderState(provider="acme", record=record, models=made, evidence={record: evidence(record)})


def _by_short_name(rates: dict[str, str]) -> dict[str, str]:
    return {name.removesuffix("_mtok"): text for name, text in rates.items()}


@given(models, models)
def test_the_changes_are_exactly_what_leads_from_one_look_to_the_other(
    old: dict[str, dict[str, str]], new: dict[str, dict[str, str]]
) -> None:
    found = differences(state("r1", old), state("r2", new))
    came = {one.model for one in found if one.kind is DriftKind.MODELS and one.after}
    went = {one.model for one in found if one.kind is DriftKind.MODELS and not one.after}
    assert (came, went) == (set(new) - set(old), set(old) - set(new))
    changed = {(one.model, one.field.removeprefix("price.")) for one in found if one.kind is DriftKind.PRICE}
    assert changed == {
        (id_, name)
        for id_ in set(old) & set(new)
        for name in {*old[id_], *new[id_]}
        if _number(old[id_].get(name)) != _number(new[id_].get(name))
    }


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
