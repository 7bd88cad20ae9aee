"""What a question to a language model costs: known by a listed price, else counted at an assumed one."""

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from modelscan.synthesis.llm import LanguageModel, Reply
from modelscan.synthesis.prompt import Prompt
from modelscan.types import Price

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

__all__ = ["ASSUMED", "cost_of", "counted", "listed_price", "worst"]

ASSUMED = Price(input_mtok=Decimal(5), output_mtok=Decimal(25))
"""What a model without a known price counts against the cap: that of a large one. Its cost is still told as unknown."""
_MTOK = 1_000_000
_FREE = ("unauthorized", "rate_limited", "failed")
"""Refused before a token was made."""


def listed_price(model: LanguageModel) -> Price | None:
    """The price that the list in the genai-prices package gives, by the provider or by its address."""
    # Half a second, spent only where a model is about to be asked.
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    with suppress(LookupError):
        return _price(calc_price(usage, model.model, provider_id=model.provider))
    with suppress(LookupError):
        return _price(calc_price(usage, model.model, provider_api_url=model.access.base_url))
    return None


def _price(of_thousand: "PriceCalculation") -> Price:
    return Price(input_mtok=of_thousand.input_price * 1_000, output_mtok=of_thousand.output_price * 1_000)


def worst(prompt: Prompt, max_tokens: int, price: Price | None) -> Decimal:
    """The most that a question can count."""
    return _amount(prompt.tokens, max_tokens, price or ASSUMED)


def cost_of(reply: Reply, price: Price | None) -> Decimal | None:
    """What it cost; None where the price or the tokens are unknown."""
    if price is None or reply.prompt_tokens is None or reply.completion_tokens is None:
        return None
    return _amount(reply.prompt_tokens, reply.completion_tokens, price)


def counted(reply: Reply, price: Price | None, at_worst: Decimal) -> Decimal:
    """What it counts against the cap: its cost, or the worst case where nobody says."""
    cost = cost_of(reply, price or ASSUMED)
    if cost is not None:
        return cost
    return Decimal(0) if reply.outcome in _FREE else at_worst


def _amount(prompt_tokens: int, completion_tokens: int, price: Price) -> Decimal:
    given, made = price.input_mtok or Decimal(0), price.output_mtok or Decimal(0)
    return (prompt_tokens * given + completion_tokens * made) / _MTOK
