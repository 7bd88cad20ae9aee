"""Rules, a language model and the loops together: what failed shapes the next proposal, and three red loops end it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from modelscan.errors import ValidationFailed
from modelscan.synthesis.agent import Agent
from modelscan.synthesis.synthesise import how, synthesise
from modelscan.types import Attempt, CaseResult, Change, ClientSpec, Level, ValidationReport
from modelscan.validation.repair import Repaired, repair
from tests.synthesis.proposing import SEEN, proposal, said, thin
from tests.synthesis.scripted_llm import scripted
from tests.synthesis.test_agent import agent, anthropic

GREEN = ValidationReport(level=Level.CONTRACT)
BEARER, X_API_KEY, API_KEY = (
    proposal(auth=said({"kind": "header", "header": header, "scheme": scheme, "env": []}, SEEN.id))
    for header, scheme in (("Authorization", "Bearer"), ("x-api-key", ""), ("api-key", ""))
)


def red(spec: ClientSpec) -> ValidationReport:
    """The server does not know this spec's header."""
    detail = f"expected 200, got 400: {spec.auth.header} is not read here"
    failed = CaseResult(case="chats", level=Level.PROBE, outcome="failed", status=400, detail=detail)
    return ValidationReport(level=Level.CONTRACT, why_not_higher="It failed.", results=(failed,))


def looped(made: Agent, attempts: list[Attempt], *, green_at: str) -> Repaired:
    async def propose(tried: Sequence[Attempt]) -> tuple[ClientSpec, str] | None:
        return await synthesise(thin(), tried, made)

    async def validate(spec: ClientSpec, client: str, test: str) -> ValidationReport:
        return GREEN if spec.auth.header == green_at else red(spec)

    return asyncio.run(repair(propose, lambda spec: ("", ""), validate, on_attempt=attempts.append))


def test_wrong_twice_then_right_with_what_changed_in_each_loop() -> None:
    attempts: list[Attempt] = []
    with scripted(BEARER, X_API_KEY, API_KEY) as server:
        made = agent(anthropic(server.url))
        repaired = looped(made, attempts, green_at="api-key")
    assert repaired.spec.auth.header == "api-key"
    assert [attempt.report.green for attempt in attempts] == [False, False, True]
    assert [[change.field for change in attempt.changes] for attempt in attempts] == [[], ["auth"], ["auth"]]
    (change,) = attempts[1].changes
    assert '"header":"Authorization"' in change.before
    assert '"header":"x-api-key"' in change.after
    assert isinstance(change, Change)
    assert how(made).startswith("by claude (3 calls, ")


def test_each_question_holds_what_failed_before_as_data() -> None:
    with scripted(BEARER, X_API_KEY, API_KEY) as server:
        looped(agent(anthropic(server.url)), [], green_at="api-key")
    first, second, third = server.prompts
    assert "is not read here" not in first
    assert "Authorization is not read here" in second
    assert "x-api-key is not read here" not in second
    assert "x-api-key is not read here" in third
    assert third.count("failed.0.status: 400") == 2


@pytest.mark.parametrize("turns", [(BEARER, X_API_KEY, API_KEY), (BEARER, "garbage"), (BEARER, X_API_KEY, 500)])
def test_red_loops_end_as_a_failure_with_every_attempt(turns: Sequence[Any]) -> None:
    attempts: list[Attempt] = []
    with scripted(*turns) as server:
        made = agent(anthropic(server.url))
        with pytest.raises(ValidationFailed) as caught:
            looped(made, attempts, green_at="nowhere")
    assert 1 <= len(attempts) <= 3
    assert len(caught.value.fields["attempts"]) == len(attempts)
    assert len(server.asked) <= 9
