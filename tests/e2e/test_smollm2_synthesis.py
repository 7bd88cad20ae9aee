"""The small model as the language model of a discovery: it is mostly wrong, and the loops end cleanly all the same."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

import pytest
from pydantic import SecretStr

from modelscan.codegen.render import render_client, render_test
from modelscan.errors import NotEnoughEvidence, ValidationFailed
from modelscan.redaction import Redactor
from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest, source_named
from modelscan.sources.http import host_port, open_client
from modelscan.sources.models_dev import record_of
from modelscan.synthesis.agent import MAX_ASKS, Agent
from modelscan.synthesis.choice import language_models
from modelscan.synthesis.cost import listed_price
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.llm import LanguageModel
from modelscan.synthesis.prompt import PROMPT_VERSION
from modelscan.synthesis.synthesise import how, synthesise
from modelscan.types import Attempt, ClientSpec, Identifier, Price, SourceRecord, ValidationReport
from modelscan.validation.repair import MAX_LOOPS, Repaired, repair
from modelscan.validation.runner import validate
from modelscan.validation.sandbox import Sandbox
from tests.e2e.conftest import models_dev_row
from tests.e2e.smollm2 import KEY, served
from tests.nowhere import NOWHERE

pytestmark = pytest.mark.peer
RUN_SECONDS = 85.0
ANSWERED = {"accepted", "rejected", "unreadable", "truncated"}


@pytest.fixture(scope="module")
def smollm2() -> Iterator[str]:
    """The real server's base URL."""
    with served() as base_url:
        yield base_url


async def _evidence(base_url: str) -> Evidence:
    """A list names its address and a package that tells no protocol; the server itself shows what it answers."""
    row = models_dev_row("mystery", base_url) | {"npm": "mystery-sdk"}
    listed = record_of({"mystery": row}, "mystery", url="https://models.dev/", body=b"", fetched_at=None, note="")
    settings = DiscoverySettings.model_validate({**NOWHERE, "allowed_private_hosts": ["127.0.0.1"]})
    identifier = Identifier.parse("mystery/small")
    async with open_client(allowed_private=[host_port(base_url)], timeout=30) as http:
        request = SourceRequest(identifier=identifier, http=http, settings=settings, base_url=base_url)
        itself = await source_named("provider").fetch(request)
    assert isinstance(listed, SourceRecord)
    assert isinstance(itself, SourceRecord)
    return Evidence(identifier=identifier, records=(listed, itself), allowed_private=("127.0.0.1",))


def _agent(base_url: str) -> Agent:
    """As the settings of an operator make it, with answers short enough for two cores."""
    asked = {"agent_base_url": base_url, "agent_base_model": "smollm2", "agent_api_key": KEY, "agent_max_tokens": 128}
    settings = DiscoverySettings.model_validate(asked | {"agent_timeout_seconds": 60, "agent_prompt_chars": 2_000})
    began = time.monotonic()

    async def price_of(model: LanguageModel) -> Price | None:
        return listed_price(model)

    return Agent(
        language_models(settings, {}, {}),
        redact=Redactor(KEY),
        max_chars=settings.agent_prompt_chars,
        max_cost_usd=settings.max_cost_usd,
        price_of=price_of,
        seconds_left=lambda: began + RUN_SECONDS - time.monotonic(),
    )


async def _discovered(base_url: str, agent: Agent, attempts: list[Attempt]) -> Repaired:
    evidence = await _evidence(base_url)

    async def propose(tried: Sequence[Attempt]) -> tuple[ClientSpec, str] | None:
        return await synthesise(evidence, tried, agent)

    async with open_client(allowed_private=[host_port(base_url)], timeout=30) as http:
        with Sandbox() as sandbox:

            async def proved(spec: ClientSpec, client: str, test: str) -> ValidationReport:
                key = SecretStr(KEY)
                return await validate(spec, client, test, sandbox=sandbox, key=key, http=http, reach=True)

            build = partial(_built, evidence)
            return await repair(propose, build, proved, on_attempt=attempts.append)


def _built(evidence: Evidence, spec: ClientSpec) -> tuple[str, str]:
    return render_client(spec, evidence.records), render_test(spec)


def test_with_the_small_model_the_loops_end_cleanly_whatever_it_says(smollm2: str) -> None:
    agent, attempts = _agent(smollm2), list[Attempt]()
    with suppress(NotEnoughEvidence, ValidationFailed):
        repaired = asyncio.run(_discovered(smollm2, agent, attempts))
        # What it found stands in the records, and was proved by a chat with the very server.
        assert repaired.spec.base_url == smollm2
        assert repaired.report.green
    assert 1 <= len(agent.calls) <= MAX_ASKS * MAX_LOOPS
    assert {call.outcome for call in agent.calls} <= ANSWERED | {"timeout"}, [call.detail for call in agent.calls]
    for call in agent.calls:
        assert (call.model, call.prompt_version, call.cost_usd) == ("smollm2", PROMPT_VERSION, None)
        assert (call.outcome == "timeout") == (call.completion_tokens is None)
    assert how(agent).partition(" ")[0] == "by"
    assert KEY not in repr(agent.calls) + repr(attempts)
