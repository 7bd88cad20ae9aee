from decimal import Decimal

import pytest
from pydantic import SecretStr

from modelscan.synthesis.cost import cost_of, counted, listed_price, worst
from modelscan.synthesis.llm import Access, Reply, ReplyOutcome
from modelscan.synthesis.llm_anthropic import AnthropicModel
from modelscan.synthesis.prompt import Prompt
from modelscan.types import Price

PRICE = Price(input_mtok=Decimal(3), output_mtok=Decimal(15))


def price_of(provider: str, model: str, base_url: str) -> Price | None:
    return listed_price(AnthropicModel(provider, model, Access(base_url, SecretStr("k"), 100, 5)))


def test_a_listed_models_price_is_known_by_its_provider_or_by_its_address() -> None:
    assert price_of("anthropic", "claude-sonnet-4-5", "https://gateway.example") == PRICE
    assert price_of("gateway.example:443", "gpt-4.1", "https://api.openai.com/v1") == Price(
        input_mtok=Decimal(2), output_mtok=Decimal(8)
    )


def test_the_price_of_the_default_fallback_is_known() -> None:
    assert price_of("openai", "gpt-5-mini", "https://api.openai.com/v1")


def test_what_no_list_knows_has_no_price() -> None:
    assert price_of("127.0.0.1:1", "smollm2", "http://127.0.0.1:1/v1") is None


def test_a_cost_is_known_where_price_and_tokens_are() -> None:
    assert cost_of(Reply("answered", None, "", 1000, 100), PRICE) == Decimal("0.0045")
    assert cost_of(Reply("answered", None, "", 1000, 100), None) is None
    assert cost_of(Reply("answered", None, "", 1000, None), PRICE) is None


@pytest.mark.parametrize("outcome", ["unauthorized", "rate_limited", "failed"])
def test_what_was_turned_away_counts_nothing(outcome: ReplyOutcome) -> None:
    assert counted(Reply(outcome), PRICE, Decimal(1)) == 0


def test_what_may_have_been_billed_counts_at_worst() -> None:
    assert counted(Reply("timeout"), PRICE, Decimal(1)) == 1


def test_the_worst_case_is_above_what_it_can_cost() -> None:
    prompt = Prompt(system="s" * 3000, user="u" * 3000)
    assert worst(prompt, 1000, PRICE) > Decimal("0.0045") + Decimal("0.0105")
    assert worst(prompt, 1000, None) > worst(prompt, 1000, PRICE)
