from datetime import UTC, datetime

from modelscan.synthesis.evidence import facts_of
from modelscan.types import SourceRecord
from tests.synthesis.telling import ACME, BOX, builtin, evidence, listed, operator, provider, saw


def test_every_fact_cites_the_record_that_claims_it() -> None:
    told = evidence("acme", listed(), operator(), provider(saw("GET", 200, "smol")))
    facts = facts_of(told)
    assert {fact.record for fact in facts} == {record.id for record in told.records}


def test_two_sources_may_claim_the_same_field() -> None:
    facts = facts_of(evidence("groq", builtin("groq"), listed(), operator()))
    claims = {fact.value for fact in facts if (fact.subject, fact.field) == ("groq", "base_url")}
    assert claims == {"https://api.groq.com/openai/v1", f"{ACME}/", BOX}


def test_prices_and_limits_are_facts_of_the_model() -> None:
    facts = {(fact.subject, fact.field): fact.value for fact in facts_of(evidence("acme", listed()))}
    assert facts["acme/anvil", "price.input_mtok"] == "0.27"
    assert facts["acme/anvil", "context_tokens"] == 128_000
    assert ("acme/anvil", "price.cache_write_mtok") not in facts
    assert ("acme/rocket/skates:v2", "name") not in facts


def test_the_models_that_a_provider_lists_itself_are_a_fact() -> None:
    facts = facts_of(evidence("local", operator(), provider(saw("POST", 400), saw("GET", 200, "smol"))))
    assert [fact.value for fact in facts if fact.field == "models"] == [["smol"]]


def test_a_snapshot_counts_for_less_than_an_answer_of_today() -> None:
    fresh = listed()
    stale = fresh.model_copy(update={"stale": True, "fetched_at": datetime(2026, 5, 1, tzinfo=UTC)})
    assert facts_of(evidence("acme", stale))[0].confidence < facts_of(evidence("acme", fresh))[0].confidence


def test_a_payload_in_another_form_claims_nothing() -> None:
    odd = SourceRecord.of(source="models.dev", subject="acme", url="u", payload=["a", "list"], trusted=True)
    told = evidence("acme", odd)
    assert (told.listed, told.observations, facts_of(told)) == (None, (), ())
