"""All providers of the recorded models.dev list: each becomes a specification and a safe client, or is refused."""

import asyncio
import json
import os
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from modelscan.codegen.gate import check
from modelscan.codegen.render import render_client, render_test
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import ModelScanError, NotEnoughEvidence
from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest
from modelscan.sources.builtin import BUILTIN, ROWS
from modelscan.sources.models_dev import record_of
from modelscan.synthesis.agent import Agent
from modelscan.synthesis.evidence import Evidence, facts_of
from modelscan.synthesis.llm import Access, LanguageModel, Reply
from modelscan.synthesis.precedence import propose
from modelscan.synthesis.prompt import Prompt
from modelscan.synthesis.synthesise import synthesise
from modelscan.types import ClientSpec, Identifier, Price, SourceRecord

pytestmark = pytest.mark.peer

CORPUS = Path(os.environ.get("MODELSCAN_CORPUS") or Path(__file__).parents[2].parent / "shared" / "data")


def told(listing: dict[str, Any], provider: str) -> Evidence:
    """What the sources say of a provider while itself cannot be reached."""

    async def builtin() -> object:
        async with httpx2.AsyncClient() as http:
            identifier = Identifier.parse(provider)
            return await BUILTIN.fetch(SourceRequest(identifier=identifier, http=http, settings=DiscoverySettings()))

    records = [record_of(listing, provider, url="u", body=b"", fetched_at=None, note=""), asyncio.run(builtin())]
    found = tuple(record for record in records if isinstance(record, SourceRecord))
    return Evidence(identifier=Identifier.parse(provider), records=found)


def outcome(evidence: Evidence) -> ClientSpec | ModelScanError:
    try:
        proposal = propose(evidence)
    except ModelScanError as error:
        return error
    assert proposal is not None
    return proposal.spec


@pytest.fixture(scope="module")
def evidence() -> dict[str, Evidence]:
    """What is told of each provider of the list."""
    file = CORPUS / "models_dev_api.json"
    if not file.exists():
        pytest.skip("no corpus: MODELSCAN_CORPUS names no folder with models_dev_api.json")
    listing = json.loads(file.read_bytes())
    return {provider: told(listing, provider) for provider in listing}


@pytest.fixture(scope="module")
def outcomes(evidence: dict[str, Evidence]) -> dict[str, ClientSpec | ModelScanError]:
    return {provider: outcome(one) for provider, one in evidence.items()}


@pytest.fixture(scope="module")
def specs(outcomes: dict[str, ClientSpec | ModelScanError]) -> list[ClientSpec]:
    return [one for one in outcomes.values() if isinstance(one, ClientSpec)]


def test_every_provider_is_specified_or_refused_with_a_reason(
    outcomes: dict[str, ClientSpec | ModelScanError],
) -> None:
    reasons = Counter(one.protocol if isinstance(one, ClientSpec) else one.code for one in outcomes.values())
    assert reasons == {
        "openai_chat": 122,
        "anthropic_messages": 7,
        "custom_rest": 2,
        "unsupported-protocol": 8,
        "not-enough-evidence": 5,
        "host-refused": 3,
    }
    assert all(one.hint for one in outcomes.values() if isinstance(one, ModelScanError))


def test_other_protocols_are_named_and_not_guessed(outcomes: dict[str, ClientSpec | ModelScanError]) -> None:
    errors = [one for one in outcomes.values() if isinstance(one, ModelScanError)]
    protocols = Counter(error.fields.get("protocol") for error in errors if error.code == "unsupported-protocol")
    assert protocols["vertex_generate_content"] == 1
    assert not {"anthropic_messages", "cohere_v2", "gemini_generate_content"} & protocols.keys()
    assert None not in protocols
    packages = {error.fields.get("package") for error in errors if isinstance(error, NotEnoughEvidence)}
    assert "@ai-sdk/openai-compatible" not in packages


def test_every_specified_provider_becomes_a_client_that_passes_the_gate(
    specs: list[ClientSpec], evidence: dict[str, Evidence]
) -> None:
    for spec in specs:
        source = render_client(spec, evidence[spec.provider].records)
        check(source, spec)
        assert read_spec(source) == spec
        compile(render_test(spec), f"test_{spec.provider}", "exec", dont_inherit=True)


def test_every_provider_has_facts_that_cite_its_records(evidence: dict[str, Evidence]) -> None:
    for told_ in evidence.values():
        facts = facts_of(told_)
        assert facts
        assert {fact.record for fact in facts} <= {record.id for record in told_.records}


def test_no_model_to_try_is_an_embedding_or_a_guard(specs: list[ClientSpec]) -> None:
    words = ("embed", "rerank", "whisper", "-guard")
    assert [spec.test_model for spec in specs if any(word in spec.test_model.lower() for word in words)] == []


def test_no_base_url_of_messages_holds_what_the_sdk_adds(specs: list[ClientSpec]) -> None:
    bases = [spec.base_url for spec in specs if spec.protocol == "anthropic_messages"]
    assert not [base for base in bases if base.endswith(("/v1", "/messages", "/"))]
    assert "https://api.minimax.io/anthropic" in bases


@pytest.mark.parametrize("provider", ["cerebras", "mistral", "openai"])
def test_our_own_rows_are_where_real_chats_were_recorded(provider: str) -> None:
    if not (CORPUS / "recorded").exists():
        pytest.skip("no corpus: MODELSCAN_CORPUS names no folder with recorded/")
    url = httpx2.URL(ROWS[provider].base_url)
    path = f"{url.path}/chat/completions".strip("/").replace("/", "-")
    assert list((CORPUS / "recorded").glob(f"{url.host}__{path}__json_*.json"))


def test_what_165_models_say_of_their_own_way_is_kept_as_facts(evidence: dict[str, Evidence]) -> None:
    fields = ("package", "base_url", "shape")
    of_models = [
        fact for one in evidence.values() for fact in facts_of(one) if "/" in fact.subject and fact.field in fields
    ]
    assert len({fact.subject for fact in of_models}) == 165
    assert {fact.field for fact in of_models} == set(fields)
    assert sum("${" in str(fact.value) for fact in of_models) > 20


class Silent:
    """A language model that may be asked, and only counts how often it is."""

    provider = model = "silent"
    access = Access("https://silent.example", SecretStr("k"), 100, 1)

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, prompt: Prompt) -> Reply:
        self.asked += 1
        return Reply("failed")


async def unknown_price(model: LanguageModel) -> Price | None:
    return None


def times_asked(one: Evidence) -> int:
    model = Silent()
    agent = Agent([model], redact=str, max_chars=48_000, max_cost_usd=Decimal(9), price_of=unknown_price)
    with suppress(ModelScanError):
        asyncio.run(synthesise(one, (), agent))
    return model.asked


def test_no_provider_that_rules_specify_is_a_question_for_a_language_model(
    evidence: dict[str, Evidence], specs: list[ClientSpec]
) -> None:
    assert [spec.provider for spec in specs if times_asked(evidence[spec.provider])] == []


def test_a_provider_without_an_address_is_none_either(
    evidence: dict[str, Evidence], outcomes: dict[str, ClientSpec | ModelScanError]
) -> None:
    thin = [provider for provider, one in outcomes.items() if isinstance(one, NotEnoughEvidence)]
    assert thin
    assert [provider for provider in thin if times_asked(evidence[provider])] == []
