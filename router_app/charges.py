"""What a request is charged to its token: what its usage row says."""

from decimal import Decimal

from modelscan.types import UsageEvent
from modelscan.usage.prices import PriceBook

__all__ = ["charged"]

_ZERO = Decimal(0)


def charged(event: UsageEvent, prices: PriceBook) -> tuple[int, Decimal]:
    """(tokens, US dollars). A cost that is unknown though the model has a price counts as the most it may have been.

    Otherwise a part without a price, such as what a cache told, would be a way past every budget.
    """
    prompt, completion = event.get("prompt_tokens") or 0, event.get("completion_tokens") or 0
    tokens = prompt + completion
    if (cost := event.get("cost_usd")) is not None:
        return tokens, cost
    provider, model = event.get("provider"), event.get("model")
    if not tokens or provider is None or model is None:
        return tokens, _ZERO
    return tokens, prices.most(provider, model, prompt, completion) or _ZERO
