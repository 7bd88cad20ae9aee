import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.redaction import Redactor
from modelscan.synthesis.agent import Agent, Found
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.llm import Access, LanguageModel
from modelscan.synthesis.llm_anthropic import AnthropicModel
from modelscan.synthesis.llm_openai import OpenAIModel
from modelscan.synthesis.prompt import PROMPT_VERSION
from modelscan.types import Price
from tests.synthesis.proposing import LISTED, proposal, said, thin
from tests.synthesis.scripted_llm import ScriptedModel, scripted
from tests.synthesis.telling import ACME

KEY = "sk-the-models-own-key-0123456789"
PRICE = Price(input_mtok=Decimal(3), output_mtok=Decimal(15))
INVENTED = proposal(base_url=said("https://evil.example/v1", LISTED.id))
UNCITED = proposal(protocol=said("openai_chat", "0123456789abcdef"))


def anthropic(url: str, **more: Any) -> LanguageModel:
    return AnthropicModel("anthropic", "claude", access(url, **more))


def openai(url: str, **more: Any) -> LanguageModel:
    return OpenAIModel("openai", "gpt", access(f"{url}/v1", **more))


def access(url: str, **more: Any) -> Access:
    fields: dict[str, Any] = {
        "base_url": url,
        "key": SecretStr(KEY),
        "max_tokens": 1000,
        "seconds": 5,
        "own_host": True,
    }
    return Access(**fields | more)


def agent(*models: LanguageModel, price: Price | None = PRICE, **more: Any) -> Agent:
    async def price_of(_: LanguageModel) -> Price | None:
        return price

    fields: dict[str, Any] = {"redact": Redactor(KEY), "max_chars": 8_000, "max_cost_usd": Decimal("0.5")}
    return Agent(models, price_of=price_of, **fields | more)


def asked(made: Agent, told: Evidence | None = None) -> Found | None:
    return asyncio.run(made.propose(told or thin(), (), "thin"))


def outcomes(made: Agent) -> list[tuple[str, str]]:
    return [(call.model, call.outcome) for call in made.calls]


Make = Callable[..., LanguageModel]
BOTH = pytest.mark.parametrize("make", [anthropic, openai])


@BOTH
def test_a_right_proposal_is_taken_at_once(make: Make) -> None:
    with scripted(proposal()) as server:
        made = agent(make(server.url))
        found = asked(made)
    assert found is not None
    assert found.spec.base_url == ACME
    (call,) = made.calls
    assert (call.number, call.outcome, call.detail) == (1, "accepted", "Its errors are OpenAI's.")
    assert (call.prompt_tokens, call.completion_tokens, call.cost_usd) == (1000, 100, Decimal("0.0045"))
    assert (call.provider, call.prompt_version) == ("anthropic" if make is anthropic else "openai", PROMPT_VERSION)


@BOTH
def test_wrong_twice_then_right_each_refusal_is_fed_back(make: Make) -> None:
    with scripted(INVENTED, UNCITED, proposal()) as server:
        made = agent(make(server.url))
        found = asked(made)
    assert found is not None
    assert [call.outcome for call in made.calls] == ["rejected", "rejected", "accepted"]
    assert "no trusted record and no operator names this address" in made.calls[0].detail
    assert "no trusted record" not in server.prompts[0]
    assert "no trusted record and no operator names this address" in server.prompts[1]
    assert "there is no record 0123456789abcdef" in server.prompts[2]


@BOTH
@pytest.mark.parametrize("turn", ["garbage", "no_tool", "truncated", "huge", "page"])
def test_what_holds_no_proposal_is_asked_for_again_and_then_no_more(make: Make, turn: str) -> None:
    with scripted(turn) as server:
        made = agent(make(server.url))
        assert asked(made) is None
    assert len(server.asked) == len(made.calls) == 3
    assert made.why_silent == f"no usable proposal in 3 answers of {made.calls[0].model}"
    assert "answer shortly" in server.prompts[1]


def test_a_form_that_is_wrong_is_told_field_by_field() -> None:
    with scripted({"code": "import os"}, proposal()) as server:
        made = agent(anthropic(server.url))
        assert asked(made)
    assert made.calls[0].outcome == "rejected"
    assert "Extra inputs are not permitted" in server.prompts[1]


@pytest.mark.parametrize("turn", ["refusal", 401, 429, 500, "redirect"])
def test_where_the_first_model_fails_the_next_is_asked_and_the_first_no_more(turn: Any) -> None:
    with scripted(turn) as first, scripted(INVENTED, proposal()) as second:
        made = agent(anthropic(first.url), openai(second.url))
        assert asked(made)
        assert asked(made)
    assert len(first.asked) == 1
    assert [model for model, _ in outcomes(made)] == ["claude", "gpt", "gpt", "gpt"]


def test_a_model_that_does_not_answer_in_time_is_not_waited_for_again() -> None:
    with scripted("hold") as server:
        made = agent(anthropic(server.url, seconds=0.2))
        assert asked(made) is None
        assert asked(made) is None
    assert outcomes(made) == [("claude", "timeout")]
    assert made.why_silent == "claude cannot be asked: no whole answer within 0.2 s"


def test_without_a_model_nothing_is_asked() -> None:
    made = agent()
    assert asked(made) is None
    assert (made.calls, made.why_silent) == ([], "no key for a language model")


def test_the_cap_is_checked_before_each_question_with_the_worst_case() -> None:
    with scripted(INVENTED) as server:
        made = agent(anthropic(server.url), max_cost_usd=Decimal("0.03"))
        assert asked(made) is None
    assert len(server.asked) == len(made.calls) == 1
    assert "of the cap of $0.03 (discovery.max_cost_usd) $0.0045 are counted already" in made.why_silent


def test_a_cap_of_nothing_asks_nothing() -> None:
    with scripted(proposal()) as server:
        made = agent(anthropic(server.url), max_cost_usd=Decimal(0))
        assert asked(made) is None
    assert server.asked == []
    assert "discovery.max_cost_usd" in made.why_silent


def test_an_unknown_price_counts_as_a_high_one_and_is_told_as_unknown() -> None:
    with scripted(INVENTED) as server:
        made = agent(anthropic(server.url), price=None, max_cost_usd=Decimal("0.05"))
        assert asked(made) is None
    assert [call.cost_usd for call in made.calls] == [None]
    assert "$0.0075 are counted" in made.why_silent


def test_tokens_that_nobody_tells_count_as_the_worst_case() -> None:
    with scripted({"mute": INVENTED}) as server:
        made = agent(anthropic(server.url), max_cost_usd=Decimal("0.05"))
        assert asked(made) is None
    assert [(call.prompt_tokens, call.cost_usd) for call in made.calls] == [(None, None)]
    assert "cap" in made.why_silent


def test_a_question_that_could_outlast_the_run_is_not_asked() -> None:
    with scripted(proposal()) as server:
        made = agent(anthropic(server.url), seconds_left=lambda: 4.9)
        assert asked(made) is None
    assert server.asked == []
    assert "too little time" in made.why_silent


def test_no_key_stands_in_a_prompt_or_in_the_log_of_calls() -> None:
    with ExitStack() as stack:
        servers: list[ScriptedModel] = [
            stack.enter_context(scripted(turn)) for turn in (401, proposal(notes=f"x {KEY}"))
        ]
        made = agent(anthropic(servers[0].url), openai(servers[1].url))
        assert asked(made)
    assert all(KEY not in prompt for server in servers for prompt in server.prompts)
    assert KEY not in repr(made.calls)
    assert made.calls[1].detail == "x [redacted]"
