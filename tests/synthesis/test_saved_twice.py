"""What the sources say, saved again, adds no record and no fact."""

from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers as priced

from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.sources import genai_prices, models_dev
from modelscan.synthesis.dossier import conflicts
from modelscan.synthesis.evidence import Evidence, facts_of
from modelscan.types import Identifier, SourceRecord, utc_now
from tests.catalogues import migrate
from tests.corpus import corpus_json

PRICED = {one.id for one in priced}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(tmp_path / "catalogue.duckdb")
    migrate(made)
    return made


def counts(database: Database) -> tuple[int, ...]:
    tables = ("source_records", "facts")
    with database.read() as connection:
        return tuple(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables)


def told(listed: dict[str, Any], provider: str) -> Evidence:
    """What both lists say of a provider, read anew."""
    found = [
        models_dev.record_of(listed, provider, url="m", body=b"", fetched_at=None, note=""),
        genai_prices.record_of(priced, provider, url="g", sha256="0" * 64, note=""),
    ]
    fresh = [one.model_copy(update={"fetched_at": utc_now()}) for one in found if isinstance(one, SourceRecord)]
    return Evidence(identifier=Identifier.parse(provider), records=tuple(fresh))


def save_all(database: Database, listed: dict[str, Any]) -> None:
    evidence = [told(listed, provider) for provider in listed]
    facts = [fact for one in evidence for fact in facts_of(one)]
    records.save(database, [record for one in evidence for record in one.records], facts)


@pytest.mark.no_cover
@pytest.mark.peer
def test_two_lists_saved_twice_are_there_once_with_the_same_conflicts(database: Database) -> None:
    both = {ours for ours in corpus_json("models_dev_api.json") if genai_prices.THEIR_IDS.get(ours, ours) in PRICED}
    listed = {ours: row for ours, row in corpus_json("models_dev_api.json").items() if ours in both - {"openrouter"}}
    save_all(database, listed)
    first = counts(database)
    disagree = {(one.subject, one.field) for one in conflicts(records.claims(database))}
    save_all(database, listed)
    assert counts(database) == first
    assert first[0] == 2 * len(listed) > 40
    assert first[1] > 5_000
    assert {(one.subject, one.field) for one in conflicts(records.claims(database))} == disagree
    assert sum(field == "price.input_mtok" for _, field in disagree) > 40


def test_records_of_two_models_of_one_provider_both_count(database: Database) -> None:
    for model in ("a/one", "a/two", "a/two"):
        payload: Any = {"model": {"gated": False}}
        subject = f"huggingface/{model}"
        record = SourceRecord.of(source="huggingface", subject=subject, url=model, payload=payload, trusted=False)
        evidence = Evidence(identifier=Identifier.parse(subject), records=(record,))
        records.save(database, evidence.records, facts_of(evidence))
    assert counts(database) == (2, 2)
    assert [one.subject for one in records.claims(database, "huggingface")] == [
        "huggingface/a/one",
        "huggingface/a/two",
    ]
