import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier, UnsupportedProtocol
from modelscan.synthesis.agent import Agent
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import Proposal, propose
from modelscan.synthesis.settled import pins_record
from modelscan.synthesis.synthesise import how, spent, synthesise
from modelscan.types import AgentCall, Attempt, CaseResult, Decision, Level, SourceRecord, ValidationReport, utc_now
from tests.synthesis.proposing import proposal, said, thin
from tests.synthesis.scripted_llm import scripted
from tests.synthesis.telling import ACME, BOX, attempt, builtin, evidence, listed, operator, provider, saw
from tests.synthesis.test_agent import agent, anthropic

ELSEWHERE = SourceRecord.of(
    source="modelscope",
    subject="acme",
    url="https://hub.example",
    payload={"api": "https://x.example/v1"},
    trusted=True,
)
OWN = provider(saw("GET", 200, "smol"), saw("POST", 400))


def tried(told: Evidence, made: Agent, attempts: Sequence[Attempt] = ()) -> Proposal | None:
    return asyncio.run(synthesise(told, attempts, made))


def first(told: Evidence) -> Proposal:
    found = propose(told)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "told",
    [
        evidence("acme/anvil", listed()),
        evidence("groq", builtin("groq"), listed(npm="@ai-sdk/groq", api=None)),
        evidence("local/smol", operator(), OWN),
    ],
    ids=["listed", "builtin", "own"],
)
def test_plain_evidence_costs_nothing(told: Evidence) -> None:
    with scripted(proposal()) as server:
        made = agent(anthropic(server.url))
        assert tried(told, made) == propose(told)
    assert server.asked == []
    assert how(made) == "by rules"


def test_thin_evidence_is_what_a_model_is_asked_for() -> None:
    with scripted(proposal()) as server:
        made = agent(anthropic(server.url))
        found = tried(thin(), made)
    assert found is not None
    assert found.spec.base_url == ACME
    assert found.words.startswith(f"OpenAI chat completions at {ACME}, key in Authorization, models: 1")
    assert found.words.endswith(
        "; proposed by claude, as rules do not suffice: "
        "Not enough evidence for acme: models.dev names its package acme-ai-sdk, which tells no protocol"
    )
    assert how(made) == "by claude (1 call, 1100 tokens, $0.0045)"


def test_without_a_key_rules_alone_say_so() -> None:
    made = agent()
    with pytest.raises(
        NotEnoughEvidence, match=r"tells no protocol\. By rules alone: no key for a language model\. If it has"
    ) as caught:
        tried(thin(), made)
    assert "--base-url" in caught.value.hint
    assert how(made) == "by rules alone: no key for a language model"


def test_a_model_that_finds_nothing_ends_as_rules_alone_would() -> None:
    with scripted("garbage") as server:
        made = agent(anthropic(server.url))
        with pytest.raises(NotEnoughEvidence, match="tells no protocol"):
            tried(thin(), made)
    assert how(made).startswith("by rules alone: no usable proposal in 3 answers of claude (3 calls, ")


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (evidence("acme", listed("acme", "missing", npm="x", api=None)), NotEnoughEvidence),
        (evidence("acme", listed(npm="@ai-sdk/azure", api=None, models={})), UnsupportedProtocol),
        (evidence("local/x", operator()), NotEnoughEvidence),
        (evidence("zz"), UnknownIdentifier),
    ],
    ids=["no address", "another protocol", "not reached", "unknown"],
)
def test_nothing_is_asked_where_nothing_could_be_found(told: Evidence, error: type[Exception]) -> None:
    with scripted(proposal()) as server:
        made = agent(anthropic(server.url))
        with pytest.raises(error):
            tried(told, made)
    assert server.asked == []


def test_lists_that_contradict_each_other_are_put_before_a_model() -> None:
    told = evidence("acme/anvil", listed(api=ACME), ELSEWHERE)
    right = proposal(
        base_url=said("https://x.example/v1", ELSEWHERE.id),
        protocol=said("openai_chat", listed(api=ACME).id),
    )
    with scripted(right) as server:
        found = tried(told, agent(anthropic(server.url)))
    assert found is not None
    assert found.spec.base_url == "https://x.example/v1"
    assert (
        "trusted lists name different addresses: models.dev api.acme.example, modelscope x.example" in server.prompts[0]
    )


def test_a_pin_settles_what_lists_say() -> None:
    pinned = pins_record("acme", [Decision.of("pin", "acme", "base_url", value=ACME)])
    assert pinned is not None
    with scripted(proposal()) as server:
        assert tried(evidence("acme/anvil", listed(api=ACME), ELSEWHERE, pinned), agent(anthropic(server.url)))
    assert server.asked == []


def test_where_a_model_cannot_settle_it_rules_do() -> None:
    told = evidence("acme/anvil", listed(api=ACME), ELSEWHERE)
    with scripted(401) as server:
        made = agent(anthropic(server.url))
        assert tried(told, made) == propose(told)
    assert how(made).startswith("by rules alone: claude cannot be asked: it answered 401")


def test_after_a_red_loop_rules_go_first_and_then_a_model_with_what_failed() -> None:
    told = evidence("local", operator(), provider(saw("GET", 200, "smol"), saw("POST", 400)))
    right = proposal(
        protocol=said("openai_chat", told.records[1].id),
        base_url=said(BOX, operator().id),
        quirks=said({"max_tokens_field": "max_completion_tokens"}, "loop-1"),
    )
    with scripted(right) as server:
        made = agent(anthropic(server.url))
        assert tried(told, made, [attempt(first(told).spec, 401)]) == propose(told, [attempt(first(told).spec, 401)])
        assert server.asked == []
        found = tried(told, made, [attempt(first(told).spec, 400)])
    assert found is not None
    assert found.spec.quirks.max_tokens_field == "max_completion_tokens"
    assert found.words.startswith("instead: OpenAI chat completions")
    assert "failed.0.status: 400" in server.prompts[0]


def red(level: Level, at: Level, status: int | None) -> ValidationReport:
    return ValidationReport(level=level, results=(CaseResult(case="chats", level=at, outcome="failed", status=status),))


@pytest.mark.parametrize(
    ("report", "asks"),
    [
        (red(Level.PROBE, Level.LIVE, 401), False),
        (red(Level.PROBE, Level.LIVE, 402), False),
        (red(Level.PROBE, Level.LIVE, 429), False),
        (red(Level.PROBE, Level.LIVE, 503), False),
        (red(Level.PROBE, Level.LIVE, 400), True),
        (red(Level.CONTRACT, Level.PROBE, 404), True),
        (red(Level.CONTRACT, Level.PROBE, None), True),
    ],
)
def test_a_known_provider_with_a_wrong_key_or_no_money_costs_nothing(report: ValidationReport, asks: bool) -> None:
    told = evidence("acme/anvil", listed())
    tries = [Attempt(number=1, proposal="", spec_digest=first(told).spec.digest, report=report)]
    with scripted("garbage") as server:
        assert tried(told, agent(anthropic(server.url)), tries) is None
    assert bool(server.asked) == asks


def test_a_model_that_finds_nothing_new_after_a_red_loop_ends_the_loops() -> None:
    with scripted(proposal()) as server:
        made = agent(anthropic(server.url))
        found = tried(thin(), made)
        assert found is not None
        assert tried(thin(), made, [attempt(found.spec, 404)]) is None
    assert len(server.asked) == 4
    assert "this is what loop-1 tried" in server.prompts[2]


def call(**more: Any) -> AgentCall:
    fields: dict[str, Any] = {"number": 1, "provider": "p", "model": "m", "prompt_version": "v", "outcome": "rejected"}
    return AgentCall.model_validate({**fields, "seconds": 1.0, "at": utc_now(), **more})


def test_what_was_spent_is_told_as_far_as_it_is_known() -> None:
    known = call(prompt_tokens=10, completion_tokens=5, cost_usd=Decimal("0.01"))
    assert spent([known]) == "1 call, 15 tokens, $0.0100"
    assert spent([known, call()]) == "2 calls, 15 tokens, $0.0100 and 1 of unknown cost"
    assert spent([call()]) == "1 call, 0 tokens, cost unknown"
