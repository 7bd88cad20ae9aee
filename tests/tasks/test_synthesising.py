"""What a run's language models are, and that the run tells what was asked of them."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import SecretStr

from modelscan.catalog import discoveries, versions
from modelscan.errors import NotEnoughEvidence
from modelscan.keys import store
from modelscan.settings import Settings
from modelscan.synthesis.agent import Agent
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Discovery, Level, Model, Price, ValidationReport
from tasks.language_models import agent_of
from tasks.run import Run
from tasks.synthesising import synthesise
from tests.synthesis.proposing import proposal, thin
from tests.synthesis.scripted_llm import scripted
from tests.validation.specs import a_spec

CANARY = "sk-canary-7f3e9b2d5a1c"


def with_model(run: Run, url: str, **more: object) -> Run:
    """The run, with the scripted server as the operator's own choice."""
    asked = {"agent_base_url": f"{url}/v1", "agent_base_model": "smol", **more}
    discovery = {**run.bench.settings.discovery.model_dump(), **asked}
    settings = Settings.model_validate({**run.bench.settings.model_dump(), "discovery": discovery})
    return replace(run, bench=replace(run.bench, settings=settings))


def told(run: Run, evidence: Evidence) -> Discovery:
    async def story() -> Discovery:
        agent = await agent_of(run, {"SOME_API_KEY": CANARY})
        await synthesise.fn(run, evidence, agent, ())
        return await run.telling.written()

    asyncio.run(story())
    return discoveries.get(run.bench.database, "d1")


def test_what_was_asked_is_told_with_the_discovery(run: Run) -> None:
    with scripted(proposal(base_url={"value": "https://evil.example", "records": ["x"]}), proposal()) as server:
        found = told(with_model(run, server.url), thin())
    assert [(call.model, call.outcome, call.cost_usd) for call in found.calls] == [
        ("smol", "rejected", None),
        ("smol", "accepted", None),
    ]
    assert found.synthesis == "by smol (2 calls, 2200 tokens, cost unknown)"
    (step,) = found.steps
    assert "proposed by smol" in step.detail
    assert step.detail.endswith(found.synthesis)


def test_without_a_model_the_step_says_by_rules_alone(run: Run) -> None:
    async def story() -> None:
        with pytest.raises(NotEnoughEvidence):
            await synthesise.fn(run, thin(), await agent_of(run, {}), ())
        await run.telling.written()

    asyncio.run(story())
    found = discoveries.get(run.bench.database, "d1")
    assert (found.calls, found.synthesis) == ((), "by rules alone: no key for a language model")


def test_no_key_of_the_store_the_settings_or_the_environment_reaches_a_model(run: Run) -> None:
    store.add_key(run.bench.database, run.bench.custody, "acme", SecretStr("stored-canary-0123"))
    (run.bench.settings.data_dir / "admin.token").write_text("admin-canary-0123")
    canaries = ("stored-canary-0123", "admin-canary-0123", "agent-canary-0123", CANARY)
    hostile = (
        thin().records[0].model_copy(update={"payload": {"api": "https://x.example", "words": " ".join(canaries)}})
    )
    evidence = thin().model_copy(update={"records": (hostile, *thin().records)})
    with scripted("garbage") as server:
        with pytest.raises(NotEnoughEvidence):
            told(with_model(run, server.url, agent_api_key="agent-canary-0123"), evidence)
        assert server.headers[0]["authorization"] == "Bearer agent-canary-0123"
    assert len(server.prompts) == 3
    assert [canary for canary in canaries for prompt in server.prompts if canary in prompt] == []


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")  # Anthropic retires the default on 2026-11-30.
@pytest.mark.parametrize(
    ("price", "cost"),
    [(Price(input_mtok=Decimal(10), output_mtok=Decimal(20)), "0.012"), (Price(input_mtok=Decimal(9)), "0.0045")],
    ids=["whole", "half"],
)
def test_the_catalogues_price_counts_before_any_lists_where_it_is_whole(run: Run, price: Price, cost: str) -> None:
    model = Model(id="claude-sonnet-4-5", price=price)
    spec = a_spec(provider="anthropic", models=(model,), test_model=model.id)
    report = ValidationReport(level=Level.LIVE)
    versions.publish(run.bench.database, spec, path="p.py", sha256="0", report=report, discovery_id=None)
    with scripted(proposal()) as server:

        async def story() -> Agent:
            environ = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.url}
            agent = await agent_of(run, environ)
            await synthesise.fn(run, thin(), agent, ())
            return agent

        agent = asyncio.run(story())
    assert [call.cost_usd for call in agent.calls] == [Decimal(cost)]
