"""A decision is kept where it means something, and refused with what can be decided where it does not."""

from pathlib import Path

import pytest

from modelscan.catalog import decisions as table
from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.errors import DecisionNotFound, InvalidIdentifier, InvalidInput, ModelScanError, NotFound
from modelscan.synthesis.decisions import decide
from modelscan.synthesis.dossier import conflicts
from modelscan.types import DecisionKind, Fact, Known, SourceRecord
from tests.catalogues import migrate

PRICE = "price.input_mtok"


def tell(database: Database, source: str, **values: object) -> None:
    """`source` answers anew: of acme/anvil its price, of acme its name."""
    record = SourceRecord.of(source=source, subject="acme", url=f"https://{source}", payload=str(values), trusted=True)
    subjects = {"price": ("acme/anvil", PRICE), "name": ("acme", "name"), "doc": ("acme", "doc")}
    facts = [
        Fact.model_validate(
            {"subject": subject, "field": field, "value": values[name], "record": record.id, "confidence": 0.9}
        )
        for name, (subject, field) in subjects.items()
        if name in values
    ]
    records.save(database, [record], facts)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Two sources disagree on a price."""
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    tell(database, "models.dev", price="0.27", name="Acme", doc="https://acme.example")
    tell(database, "genai-prices", price="0.3")
    return database


def still_open(database: Database) -> tuple[Known, ...]:
    return conflicts(records.claims(database), table.list_decisions(database))


def test_an_accepted_conflict_stays_closed_through_refreshes_until_a_claim_changes(database: Database) -> None:
    made = decide(database, "accept", "Acme/anvil", PRICE)
    assert (made.subject, made.value) == ("acme/anvil", "0.27")
    tell(database, "genai-prices", price="0.3")
    assert still_open(database) == ()
    tell(database, "genai-prices", price="0.4")
    assert [one.field for one in still_open(database)] == [PRICE]


def test_a_decision_made_again_takes_the_place_of_the_one_before(database: Database) -> None:
    for value in ("1", " 0.50 "):
        decide(database, "pin", "acme/anvil", PRICE, value)
    assert [one.value for one in table.list_decisions(database)] == ["0.50"]


def test_an_undone_decision_is_gone(database: Database) -> None:
    made = decide(database, "reject", "acme/anvil", PRICE, "genai-prices")
    assert still_open(database) == ()
    assert table.delete(database, made.id) == made
    assert len(still_open(database)) == 1
    with pytest.raises(DecisionNotFound):
        table.delete(database, made.id)


def test_decisions_are_listed_by_provider(database: Database) -> None:
    decide(database, "pin", "acme", "base_url", "https://api.acme.example/v1/")
    assert [one.value for one in table.list_decisions(database, "acme")] == ["https://api.acme.example/v1"]
    assert table.list_decisions(database, "acm") == ()


@pytest.mark.parametrize(
    ("subject", "field", "value", "kept"),
    [
        ("acme/anvil", PRICE, "0", "0"),
        ("acme/anvil", PRICE, "1e2", "100"),
        ("acme/anvil", "context_tokens", "128000", 128_000),
        ("acme/anvil", "name", "Anvil 2", "Anvil 2"),
        ("acme", "name", "Acme Inc.", "Acme Inc."),
        ("acme", "base_url", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
    ],
)
def test_a_value_is_kept_in_its_own_form(
    database: Database, subject: str, field: str, value: str, kept: object
) -> None:
    assert decide(database, "pin", subject, field, value).value == kept


@pytest.mark.parametrize(
    ("kind", "subject", "field", "given", "error", "said"),
    [
        ("pin", "acme/anvil", PRICE, "-1", InvalidInput, "no price"),
        ("pin", "acme/anvil", PRICE, "cheap", InvalidInput, "no price"),
        ("pin", "acme/anvil", PRICE, "NaN", InvalidInput, "no price"),
        ("pin", "acme/anvil", PRICE, "Infinity", InvalidInput, "no price"),
        ("pin", "acme/anvil", PRICE, "1e12", InvalidInput, "no price"),
        ("pin", "acme/anvil", PRICE, "0.0000000001", InvalidInput, "no price"),
        ("pin", "acme/anvil", "context_tokens", "0", InvalidInput, "no number of tokens"),
        ("pin", "acme/anvil", "context_tokens", "1.5", InvalidInput, "no number of tokens"),
        ("pin", "acme/anvil", "context_tokens", "9" * 5000, InvalidInput, "no number of tokens"),
        ("pin", "acme", "base_url", "ftp://acme.example", InvalidInput, "is not http"),
        ("pin", "acme", "base_url", "https://u:p@acme.example", InvalidInput, "is not http"),
        ("pin", "acme", "base_url", "https://acme.example/${ACME_API_KEY}", InvalidInput, "is not http"),
        ("pin", "acme", "name", "", InvalidInput, "A name is"),
        ("pin", "acme", "name", "\x1b[31m", InvalidInput, "A name is"),
        ("pin", "acme", PRICE, "1", InvalidInput, "The fields are: base_url, name"),
        ("pin", "acme/anvil", "base_url", "https://a.example", InvalidInput, f"The fields are: {PRICE}"),
        ("pin", "acme/anvi", PRICE, "1", NotFound, "Nothing is known of acme/anvi"),
        ("pin", "nobody", "name", "1", NotFound, "Nothing is known of nobody"),
        ("pin", "", "name", "1", InvalidIdentifier, "not a model identifier"),
        ("accept", "acme/anvil", "context_tokens", "", InvalidInput, f"Open are: {PRICE}"),
        ("accept", "acme", "name", "", InvalidInput, "Open are: none"),
        ("reject", "acme", "doc", "models.dev", InvalidInput, "The fields are"),
        ("reject", "acme/anvil", PRICE, "gpustack", InvalidInput, "Those who do: genai-prices, models.dev"),
    ],
)
def test_what_means_nothing_is_refused_with_what_would(
    database: Database,
    kind: DecisionKind,
    subject: str,
    field: str,
    given: str,
    error: type[ModelScanError],
    said: str,
) -> None:
    with pytest.raises(error, match=said) as refused:
        decide(database, kind, subject, field, given)
    assert refused.value.hint
    assert table.list_decisions(database) == ()


def test_a_name_that_is_nearly_right_is_named(database: Database) -> None:
    with pytest.raises(NotFound) as refused:
        decide(database, "pin", "acme/anvl", PRICE, "1")
    assert refused.value.fields["nearest"] == ["acme/anvil", "acme"]
