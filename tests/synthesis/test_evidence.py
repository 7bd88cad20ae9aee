import json
from datetime import UTC, datetime
from typing import Any

from modelscan.sources.genai_prices import record_of
from modelscan.synthesis.evidence import facts_of
from modelscan.types import SourceRecord
from tests.sources.asking import fixture
from tests.synthesis.telling import ACME, BOX, builtin, evidence, listed, operator, provider, saw


def test_every_fact_cites_the_record_that_claims_it() -> None:
    told = evidence("acme", listed(), operator(), provider(saw("GET", 200, "smol")))
    facts = facts_of(told)
    assert {fact.record for fact in facts} == {record.id for record in told.records}


def test_two_sources_may_claim_the_same_field() -> None:
    told = [one.model_copy(update={"subject": "groq"}) for one in (builtin("groq"), listed(), operator())]
    facts = facts_of(evidence("groq", *told))
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


def told_by(source: str, payload: Any, subject: str = "acme") -> SourceRecord:
    return SourceRecord.of(source=source, subject=subject, url="u", payload=payload, trusted=False)


def test_how_one_model_is_spoken_to_otherwise_is_a_fact_of_it() -> None:
    facts = {(fact.subject, fact.field): fact.value for fact in facts_of(evidence("acme", listed()))}
    assert facts["acme/anvil-pro", "package"] == "@ai-sdk/anthropic"
    assert facts["acme/anvil-pro", "base_url"] == "https://api.acme.example/anthropic"
    assert facts["acme/anvil-deep", "shape"] == "responses"
    assert facts["acme", "key_variables"] == ["ACME_KEY"]
    assert ("acme/anvil", "package") not in facts


def test_two_lists_price_the_same_model_also_where_one_names_it_otherwise() -> None:
    priced = record_of(json.loads(fixture("genai_prices/usual.json")), "acme", url="u", sha256="0" * 64, note="")
    prices: dict[str, list[object]] = {}
    for fact in facts_of(evidence("acme", listed(), priced)):
        if fact.field == "price.input_mtok":
            prices.setdefault(fact.subject, []).append(fact.value)
    assert prices["acme/anvil"] == ["0.27", "0.3"]
    assert prices["acme/anvil-old"] == ["0.01", "0.3"]
    assert prices["acme/rocket/skates:v2"] == ["2"]


def test_the_catalogue_speaks_of_the_models_that_others_name() -> None:
    short = {"name": "Smol", "categories": ["llm"], "capabilities": ["context/8K"], "licenses": [], "repositories": []}
    catalogue = told_by("gpustack-catalogue", {"sets": [short]}, "local")
    facts = facts_of(evidence("local/other", operator(), provider(saw("GET", 200, "smol")), catalogue))
    assert [fact.subject for fact in facts if fact.field == "nominal_context"] == ["local/smol"]


def test_what_is_known_of_the_weights_is_said_of_the_deployment() -> None:
    short = {
        "name": "Smol",
        "categories": ["llm"],
        "capabilities": ["tools"],
        "licenses": [],
        "repositories": ["hub/Smol"],
    }
    catalogue = told_by("gpustack-catalogue", {"sets": [short]}, "local")
    deployed = [
        {"name": "chat", "huggingface_repo_id": "hub/Smol"},
        {"name": "hub/Smol", "huggingface_repo_id": "hub/Smol"},
    ]
    stack = told_by("gpustack", {"models": deployed, "served": [{"id": "chat"}]}, "local")
    facts = facts_of(evidence("local", operator(), provider(saw("GET", 200, "chat", "hub/Smol")), stack, catalogue))
    assert {fact.subject for fact in facts if fact.field == "abilities"} == {"local/hub/Smol", "local/chat"}
    assert [fact.value for fact in facts if (fact.subject, fact.field) == ("local/chat", "weights")] == ["hub/Smol"]


def test_the_operators_word_counts_most_and_a_card_least() -> None:
    card = told_by("huggingface", {"model": {"gated": False}, "card": {"license": "mit"}}, "local/a/b")
    facts = facts_of(evidence("local/a/b", operator(), provider(saw("GET", 200, "smol")), card))
    confidence = {fact.field: fact.confidence for fact in facts}
    assert 1 == confidence["base_url"] > confidence["models"] > confidence["gated"] > confidence["license"] > 0


def test_a_record_of_a_source_that_is_no_more_claims_nothing() -> None:
    assert facts_of(evidence("acme", told_by("yesterday", {"name": "Acme"}))) == ()
