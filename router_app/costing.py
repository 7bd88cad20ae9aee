"""What a request cost, once it is over: by its tokens, and by what became of it."""

from decimal import Decimal

from modelscan.types import Usage
from modelscan.usage.prices import PriceBook

__all__ = ["cost_of"]

_NOTHING = Decimal(0)
_PERHAPS_BILLED = frozenset({"upstream-failed", "upstream-timeout", "no-candidate-left", "error"})
"""Errors of ours after which a provider may have worked all the same."""

_FREE = frozenset({"count_tokens"})
"""What providers do not bill."""

Cost = tuple[Decimal | None, str | None]
"""(US dollars, the id of the price version); None: unknown."""


def cost_of(
    prices: PriceBook,
    asked: tuple[str, str] | None,
    usage: Usage,
    *,
    status: int,
    error_code: str | None,
    operation: str = "chat",
) -> Cost:
    """What it cost. `asked`: the provider and the model that it was sent to, None where it was sent to nobody.

    `status` 0: the caller left before an answer.

    Nothing costs what nobody was asked, and what was refused without a word of tokens: providers do not bill that.
    """
    if asked is None or operation in _FREE:
        return _NOTHING, None
    cost = prices.cost(*asked, usage)
    if usage.prompt is None and usage.completion is None and _was_refused(status, error_code):
        return _NOTHING, None
    return cost


def _was_refused(status: int, error_code: str | None) -> bool:
    return status >= 400 and error_code not in _PERHAPS_BILLED
