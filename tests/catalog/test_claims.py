"""What the newest record of each source claims; kept, and never doubled."""

from datetime import UTC, datetime, timedelta

from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.synthesis.dossier import conflicts
from modelscan.types import Fact, SourceRecord
from tests.catalog.samples import record

WHEN = datetime(2026, 7, 2, tzinfo=UTC)


def priced(source: str, price: str, *, days: int = 0, subject: str = "acme") -> tuple[SourceRecord, Fact]:
    """A record that gives one price, and that price as a fact."""
    found = record({"price": price}, source=source, subject=subject, fetched_at=WHEN + timedelta(days=days))
    fact = Fact(subject=f"{subject}/small", field="price.input_mtok", value=price, record=found.id, confidence=0.9)
    return found, fact


def saved(database: Database, *told: tuple[SourceRecord, Fact]) -> None:
    records.save(database, [one for one, _ in told], [fact for _, fact in told])


def test_a_claim_names_its_source_its_place_and_its_time(database: Database) -> None:
    saved(database, priced("models.dev", "0.27"))
    (found,) = records.claims(database, "acme")
    assert (found.source, found.url, found.value) == ("models.dev", "https://models.dev/api.json", "0.27")
    assert (found.fetched_at, found.stale, len(found.sha256)) == (WHEN, False, 64)


def test_of_each_source_the_newest_record_counts_and_history_is_no_conflict(database: Database) -> None:
    saved(database, priced("models.dev", "0.30"), priced("models.dev", "0.27", days=1))
    assert [claim.value for claim in records.claims(database)] == ["0.27"]
    assert conflicts(records.claims(database)) == ()
    assert len(records.facts_of(database, "acme")) == 2  # The older one is kept.


def test_two_sources_that_disagree_are_a_conflict_and_saving_them_again_changes_nothing(database: Database) -> None:
    told = (priced("models.dev", "0.27"), priced("genai-prices", "0.3"))
    saved(database, *told)
    before = conflicts(records.claims(database))
    assert [(one.chosen and one.chosen.value, one.differ[0].value) for one in before] == [("0.27", "0.3")]
    for _ in range(3):
        saved(database, *told)
    assert conflicts(records.claims(database)) == before
    assert len(records.facts_of(database, "acme")) == 2


def test_an_answer_that_is_seen_again_is_the_newest_again(database: Database) -> None:
    saved(database, priced("models.dev", "0.27"))
    saved(database, priced("models.dev", "0.30", days=1))
    saved(database, priced("models.dev", "0.27", days=2))
    assert [claim.value for claim in records.claims(database)] == ["0.27"]


def test_one_provider_or_all(database: Database) -> None:
    saved(database, priced("models.dev", "1"), priced("models.dev", "2", subject="acme-two"))
    assert [claim.subject for claim in records.claims(database, "acme")] == ["acme/small"]
    assert [claim.subject for claim in records.claims(database)] == ["acme-two/small", "acme/small"]
    assert records.claims(database, "nobody") == ()
