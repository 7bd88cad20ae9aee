"""What the dossier and the operator say of prices and limits is what a specification says."""

from decimal import Decimal
from typing import Any

import pytest

from modelscan.errors import NotEnoughEvidence
from modelscan.sources.genai_prices import record_of as prices_record
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.synthesis.settled import pins_record
from modelscan.types import ClientSpec, Decision, DecisionKind, Model, Price, SourceGap, SourceRecord
from tests.synthesis.telling import ACME, BOX, evidence, listed, operator, provider, saw

ANVIL = "acme/anvil"


def other_prices(**models: dict[str, Any]) -> SourceRecord:
    """genai-prices' record of acme."""
    rows = [{"id": model, "prices": prices} for model, prices in models.items()]
    record = prices_record([{"id": "acme", "models": rows}], "acme", url="https://g", sha256="0" * 64, note="")
    assert not isinstance(record, SourceGap)
    return record


def decided(kind: DecisionKind, field: str, subject: str = ANVIL, **more: Any) -> Decision:
    return Decision.of(kind, subject, field, **more)


def told(*records: SourceRecord, decisions: tuple[Decision, ...] = ()) -> Evidence:
    pins = pins_record("acme", decisions)
    return evidence("acme", *records, *([pins] if pins else []), decisions=decisions)


def proposed(found: Evidence) -> ClientSpec:
    proposal = propose(found)
    assert proposal
    return proposal.spec


def anvil(found: Evidence) -> Model:
    return next(model for model in proposed(found).models if model.id == "anvil")


def price(found: Evidence) -> Price:
    return anvil(found).price or Price()


def test_the_second_list_fills_what_the_first_does_not_say_and_no_more() -> None:
    others = other_prices(anvil={"input_mtok": 9, "cache_write_mtok": 0.5})
    found = told(listed(), others)
    assert price(found).input_mtok == Decimal("0.27")
    assert price(found).cache_write_mtok == Decimal("0.5")
    assert proposed(found).evidence["models:genai-prices"] == others.id


def test_what_nobody_says_is_unknown() -> None:
    assert price(told(listed())).cache_write_mtok is None
    assert "models:genai-prices" not in proposed(told(listed())).evidence


def test_a_pin_counts_and_is_cited() -> None:
    pins = (
        decided("pin", "price.input_mtok", value="0.25"),
        decided("pin", "context_tokens", value=4096),
        decided("pin", "name", value="My Anvil"),
    )
    found = told(listed(), decisions=pins)
    model = anvil(found)
    assert (model.price and model.price.input_mtok, model.context_tokens) == (Decimal("0.25"), 4096)
    assert model.name == "My Anvil"
    assert proposed(found).evidence["models:pin"] == found.records[-1].id


def test_a_rejected_price_is_not_used() -> None:
    rejected = decided("reject", "price.input_mtok", source="models.dev")
    assert price(told(listed(), decisions=(rejected,))).input_mtok is None
    filled = told(listed(), other_prices(anvil={"input_mtok": 9}), decisions=(rejected,))
    assert price(filled).input_mtok == Decimal(9)


def test_a_price_that_is_none_leaves_it_unknown() -> None:
    for value in ("-1", "cheap", "NaN", "1e12"):
        pin = Decision.of("pin", ANVIL, "price.input_mtok", value=value)
        assert price(told(listed(), decisions=(pin,))).input_mtok is None
    for odd in (-1, "many"):
        pin = Decision.of("pin", ANVIL, "context_tokens", value=odd)
        assert anvil(told(listed(), decisions=(pin,))).context_tokens is None


def test_a_pinned_address_is_the_operators_and_keeps_the_models_and_their_prices() -> None:
    pins = (
        decided("pin", "base_url", "acme", value="http://127.0.0.1:9/v1"),
        decided("pin", "name", "acme", value="My Acme"),
    )
    found = told(listed(), decisions=pins)
    spec = proposed(found)
    assert (spec.base_url, spec.operator_host, spec.name) == ("http://127.0.0.1:9/v1", True, "My Acme")
    assert spec.evidence["base_url"] == spec.evidence["name"] == found.records[-1].id
    assert {model.id for model in spec.models} == {model.id for model in proposed(told(listed())).models}


def test_a_pinned_address_wins_over_one_that_was_typed() -> None:
    pin = Decision.of("pin", "local", "base_url", value="http://127.0.0.1:9/v1")
    pins = pins_record("local", [pin])
    assert pins
    seen = provider(saw("GET", 200, "smol"), saw("POST", 400))
    spec = proposed(evidence("local/smol", operator(), seen, pins, decisions=(pin,)))
    assert (spec.base_url, BOX) == ("http://127.0.0.1:9/v1", operator().url)


def test_a_rejected_address_is_not_used() -> None:
    rejected = decided("reject", "base_url", "acme", source="models.dev")
    assert proposed(told(listed())).base_url == ACME
    with pytest.raises(NotEnoughEvidence, match="no source names a base URL"):
        propose(told(listed(), decisions=(rejected,)))


def test_of_a_server_of_ones_own_the_lists_say_nothing_but_the_operator_does() -> None:
    pin = Decision.of("pin", "local/smol", "price.input_mtok", value="0")
    pins = pins_record("local", [pin])
    assert pins
    prices = prices_record(
        [{"id": "local", "models": [{"id": "smol", "prices": {"input_mtok": 3, "output_mtok": 4}}]}],
        "local",
        url="https://g",
        sha256="0" * 64,
        note="",
    )
    assert not isinstance(prices, SourceGap)
    seen = provider(saw("GET", 200, "smol"), saw("POST", 400))
    (model,) = proposed(evidence("local/smol", operator(), seen, prices, pins, decisions=(pin,))).models
    assert model.price == Price(input_mtok=Decimal(0))


def test_without_a_pin_there_is_no_record_of_pins() -> None:
    assert pins_record("acme", [decided("reject", "name", "acme", source="models.dev")]) is None
