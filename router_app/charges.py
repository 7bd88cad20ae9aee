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
    prompt, completion = event.prompt_tokens or 0, event.completion_tokens or 0
    tokens = prompt + completion
    if event.cost_usd is not None:
        return tokens, event.cost_usd
    if not tokens or event.provider is None or event.model is None:
        return tokens, _ZERO
    return tokens, prices.most(event.provider, event.model, prompt, completion) or _ZERO
