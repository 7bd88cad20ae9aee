from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modelscan.catalog import prices, records, versions
from modelscan.catalog.database import Database
from modelscan.errors import InvalidInput
from modelscan.synthesis.decisions import decide, undo
from modelscan.synthesis.prices import load_book, stated_prices
from modelscan.types import Decision, Fact, Model, PriceVersion, SourceRecord, Usage
from modelscan.usage.prices import PriceBook
from tests.catalog.samples import report, spec
from tests.catalogues import migrate
from tests.synthesis.claiming import WHEN, claim

TIERS = [{"over": 200_000, "input_mtok": "2"}]


def stated(*claims: Any, decisions: tuple[Decision, ...] = (), **more: bool) -> dict[str, Any]:
    return {model: tariff.stated() for model, (tariff, _) in stated_prices(claims, decisions, **more).items()}


def test_the_dossiers_rules_say_which_source_counts_field_by_field() -> None:
    found = stated_prices(
        [claim("models.dev", "0.27"), claim("genai-prices", "0.3"), claim("genai-prices", TIERS, "price.tiers")], ()
    )
    tariff, evidence = found["anvil"]
    assert tariff.stated() == {"input_mtok": "0.27", "tiers": TIERS}
    assert {field: one.source for field, one in evidence.items()} == {
        "input_mtok": "models.dev",
        "tiers": "genai-prices",
    }
    assert (evidence["tiers"].url, evidence["tiers"].fetched_at) == ("https://genai-prices/list", WHEN)


def test_an_operators_pin_counts_before_all_and_what_is_rejected_not_at_all() -> None:
    pin = Decision.of("pin", "acme/anvil", "price.input_mtok", value="0.1")
    rejected = Decision.of("reject", "acme/anvil", "price.output_mtok", source="models.dev")
    told = [claim("models.dev", "0.27"), claim("models.dev", "9", "price.output_mtok")]
    assert stated(*told, decisions=(pin, rejected)) == {"anvil": {"input_mtok": "0.1"}}
    assert stated_prices(told, (pin,))["anvil"][1]["input_mtok"].record == pin.id


def test_what_lists_say_is_not_of_a_server_that_the_operator_named() -> None:
    pin = Decision.of("pin", "acme/anvil", "price.output_mtok", value="0.5")
    told = [claim("models.dev", "0.27"), claim("operator", "0.1", subject="acme/rocket")]
    assert stated(*told, decisions=(pin,), own_server=True) == {
        "anvil": {"output_mtok": "0.5"},
        "rocket": {"input_mtok": "0.1"},
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price.input_mtok", "cheap"),
        ("price.input_mtok", None),
        ("price.input_mtok", -1),
        ("price.input_mtok", {"a": 1}),
        ("price.input_mtok", "0.00000001"),
        ("price.tiers", "none"),
        ("price.tiers", [{"over": 1}, {"over": 1}]),
        ("price.lunch", "1"),
        ("name", "0.1"),
    ],
)
def test_what_is_no_price_is_unknown(field: str, value: Any) -> None:
    assert stated(claim("models.dev", value, field)).get("anvil", {}) == {}


def test_what_is_said_of_a_provider_is_no_price_of_a_model() -> None:
    assert stated(claim("models.dev", "1", subject="acme")) == {}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """acme/anvil is published; models.dev says what it costs, and no version was taken up yet."""
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    record = SourceRecord.of(source="models.dev", subject="acme", url="https://m", payload={}, trusted=True)
    said = {"price.input_mtok": "1", "price.output_mtok": "2"}
    facts = [
        Fact(subject="acme/anvil", field=field, value=value, record=record.id, confidence=0.9)
        for field, value in said.items()
    ]
    records.save(database, [record], facts)
    versions.publish(database, spec(Model(id="anvil")), path="acme.py", sha256="0", report=report())
    return database


def newest(database: Database) -> PriceVersion:
    (found,) = prices.newest(database, "acme")
    return found


def test_a_catalogue_of_before_has_its_prices_taken_up_when_the_book_is_loaded(database: Database) -> None:
    book = load_book(database)
    assert book.cost("acme", "anvil", Usage(1, 1)) == (Decimal("0.000003"), newest(database).id)
    assert len(prices.versions(database)) == 1
    load_book(database)
    assert len(prices.versions(database)) == 1


def test_at_a_reload_nobody_is_asked_again_what_is_not_known(database: Database) -> None:
    assert len(load_book(database, PriceBook())) == 0
    assert prices.unpriced(database) == ("acme",)
    book = load_book(database)
    assert load_book(database, book).by_id() == book.by_id() != {}


def test_a_pin_makes_a_version_at_once_and_its_end_another(database: Database) -> None:
    load_book(database)
    made = decide(database, "pin", "acme/anvil", "price.cache_read_mtok", "0.1")
    assert newest(database).tariff.stated() == {"input_mtok": "1", "output_mtok": "2", "cache_read_mtok": "0.1"}
    assert newest(database).evidence["cache_read_mtok"].source == "pin"
    undo(database, made.id)
    assert newest(database).tariff.stated() == {"input_mtok": "1", "output_mtok": "2"}
    assert len(prices.versions(database)) == 3


def test_a_decision_on_another_field_makes_none(database: Database) -> None:
    load_book(database)
    decide(database, "pin", "acme/anvil", "name", "Anvil")
    decide(database, "pin", "acme", "name", "Acme")
    assert len(prices.versions(database)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("[]", []),
        ('[{"over": 200000, "input_mtok": 2.50}]', [{"over": 200_000, "input_mtok": "2.5"}]),
        ('[{"over": 2, "request_usd": "0.01"}, {"over": 1}]', [{"over": 1}, {"over": 2, "request_usd": "0.01"}]),
    ],
)
def test_tiers_are_pinned_as_a_list(database: Database, given: str, kept: list[Any]) -> None:
    assert decide(database, "pin", "acme/anvil", "price.tiers", given).value == kept


@pytest.mark.parametrize("given", ["none", "7", "[7]", '[{"over": 0}]', '[], "input_mtok": 1', '[{"over": 1, "a": 1}]'])
def test_tiers_in_another_form_are_refused_with_an_example(database: Database, given: str) -> None:
    with pytest.raises(InvalidInput, match="is no list of tiers") as refused:
        decide(database, "pin", "acme/anvil", "price.tiers", given)
    assert '"over": 200000' in refused.value.hint
