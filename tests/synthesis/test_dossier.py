"""Which claim counts, who agrees, what is a conflict, and what is unknown."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.synthesis.dossier import EXPECTED, conflicts, dossier_of, known, seen_of
from modelscan.types import Claim, Decision, Identifier
from tests.synthesis.claiming import claim


@pytest.mark.parametrize(
    ("field", "believed"),
    [
        ("price.input_mtok", ["operator", "models.dev", "genai-prices", "a-later-source"]),
        ("models", ["operator", "provider", "models.dev", "a-later-source"]),
        ("base_url", ["operator", "builtin", "provider", "models.dev", "genai-prices", "a-later-source"]),
        ("context_tokens", ["operator", "provider", "models.dev"]),
    ],
)
def test_of_each_field_a_rule_says_who_is_believed(field: str, believed: list[str]) -> None:
    for number in range(len(believed)):
        claims = [claim(source, source, field) for source in believed[number:]]
        (found,) = known(reversed(claims))
        assert found.chosen
        assert found.chosen.source == believed[number]
        assert [other.source for other in found.differ] == believed[number + 1 :]


@pytest.mark.parametrize(
    ("field", "one", "other", "agree"),
    [
        ("price.input_mtok", "0.27", "0.270", True),
        ("price.input_mtok", "0.27", "0.28", False),
        ("price.input_mtok", "0", "0.0", True),
        ("price.input_mtok", "free", "0", False),
        ("base_url", "https://api.acme.example/v1", "https://api.acme.example/v1/", True),
        ("base_url", "https://api.acme.example/v1", "https://api.acme.example", False),
        ("name", "1.0", "1", False),
        ("doc", "https://acme.example/", "https://acme.example", False),
        ("context_tokens", 128_000, 128_000, True),
        ("context_tokens", 128_000, 131_072, False),
        ("models", ["a", "b"], ["a"], False),
        ("capabilities", ["tool_call"], "tool_call", False),
    ],
)
def test_prices_agree_by_their_amount_and_addresses_without_the_last_slash(
    field: str, one: Any, other: Any, agree: bool
) -> None:
    claims = [claim("models.dev", one, field), claim("genai-prices", other, field)]
    (found,) = known(claims)
    assert found.agree == (("genai-prices",) if agree else ())
    assert bool(found.differ) is not agree
    assert conflicts(claims) == (() if agree else (found,))


def test_why_a_claim_counts_names_those_it_comes_before() -> None:
    (alone,) = known([claim("models.dev", "1")])
    assert alone.why == "the only source that says it"
    (first,) = known([claim("genai-prices", "2"), claim("models.dev", "1")])
    assert first.why == "models.dev comes before genai-prices here"


@given(
    st.permutations(
        [claim(source, value) for source, value in (("models.dev", "1"), ("genai-prices", "2"), ("z", "1"))]
    )
)
def test_the_order_in_which_claims_come_changes_nothing(claims: list[Claim]) -> None:
    (found,) = known(claims)
    assert found.chosen
    assert (found.chosen.source, found.agree) == ("models.dev", ("z",))
    assert [one.source for one in found.differ] == ["genai-prices"]


MODEL = [
    claim("models.dev", "0.27"),
    claim("genai-prices", "0.3"),
    claim("models.dev", 128_000, "context_tokens"),
    claim("models.dev", "0.1", subject="acme/rocket/skates"),
    claim("models.dev", "Acme", "name", "acme"),
    claim("models.dev", "Other", "name", "acme-two"),
]


def test_of_a_model_what_no_source_gives_is_unknown() -> None:
    found = dossier_of(Identifier.parse("acme/anvil"), MODEL)
    assert [one.field for one in found.fields] == ["context_tokens", "price.input_mtok"]
    assert found.unknown == ("price.output_mtok", "price.cache_read_mtok", "price.cache_write_mtok", "output_tokens")
    assert found.models == ()


def test_of_a_provider_its_models_are_summed_up() -> None:
    found = dossier_of(Identifier.parse("acme"), MODEL)
    assert [(one.subject, one.field) for one in found.fields] == [("acme", "name")]
    assert found.unknown == ()
    assert [(one.model, one.known, one.conflicts) for one in found.models] == [("anvil", 2, 1), ("rocket/skates", 1, 0)]
    assert "price.input_mtok" not in found.models[0].unknown
    assert set(found.models[1].unknown) == set(EXPECTED) - {"price.input_mtok"}


def test_of_nobody_nothing_is_known() -> None:
    found = dossier_of(Identifier.parse("nobody"), MODEL)
    assert (found.fields, found.models) == ((), ())


def test_every_claim_is_in_exactly_one_place() -> None:
    for claims in itertools.permutations(MODEL, 4):
        found = known(claims)
        assert sum(1 + len(one.agree) + len(one.differ) for one in found) == len(claims)


DISPUTED = [claim("models.dev", "0.27"), claim("genai-prices", "0.3")]


def test_a_pin_counts_before_every_source_and_ends_the_conflict() -> None:
    pin = Decision.of("pin", "acme/anvil", "price.input_mtok", value="0.25")
    (found,) = known(DISPUTED, [pin])
    assert found.chosen
    assert (found.chosen.source, found.chosen.value, found.settled) == ("pin", "0.25", "pinned")
    assert found.why == "the operator pinned it"
    assert [one.source for one in found.differ] == ["models.dev", "genai-prices"]
    assert conflicts(DISPUTED, [pin]) == ()
    assert conflicts(DISPUTED, [pin], settled=True) == (found,)


def test_what_no_source_says_can_be_pinned() -> None:
    pin = Decision.of("pin", "acme/anvil", "output_tokens", value=4096)
    found = dossier_of(Identifier.parse("acme/anvil"), DISPUTED, [pin])
    assert [one.field for one in found.fields] == ["output_tokens", "price.input_mtok"]
    assert "output_tokens" not in found.unknown


def test_a_rejected_claim_is_kept_but_neither_counts_nor_disagrees() -> None:
    (found,) = known(DISPUTED, [Decision.of("reject", "acme/anvil", "price.input_mtok", source="models.dev")])
    assert found.chosen
    assert (found.chosen.source, found.differ, found.open) == ("genai-prices", (), False)
    assert [one.source for one in found.rejected] == ["models.dev"]


def test_where_every_claim_is_rejected_it_is_unknown() -> None:
    rejections = [Decision.of("reject", "acme/anvil", "price.input_mtok", source=one.source) for one in DISPUTED]
    found = dossier_of(Identifier.parse("acme/anvil"), DISPUTED, rejections)
    assert (found.fields[0].chosen, len(found.fields[0].rejected)) == (None, 2)
    assert "price.input_mtok" in found.unknown


def test_an_accepted_conflict_is_open_again_once_a_source_says_something_else() -> None:
    accepted = Decision.of("accept", "acme/anvil", "price.input_mtok", value="0.27", seen=seen_of(DISPUTED))
    assert conflicts(reversed(DISPUTED), [accepted]) == ()
    assert known(DISPUTED, [accepted])[0].settled == "accepted"
    later = [DISPUTED[0], claim("genai-prices", "0.31")]
    assert [one.open for one in conflicts(later, [accepted])] == [True]
    third = [*DISPUTED, claim("gpustack", "0.27")]
    assert len(conflicts(third, [accepted])) == 1


def test_a_decision_is_about_its_own_subject_and_field() -> None:
    others = [
        Decision.of("reject", "acme", "price.input_mtok", source="models.dev"),
        Decision.of("reject", "acme/anvil", "price.output_mtok", source="models.dev"),
    ]
    assert known(DISPUTED, others) == known(DISPUTED)
