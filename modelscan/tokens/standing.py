"""A token as people are told of it: what it may use, and how it stands with each limit."""

from decimal import Decimal

from pydantic import AwareDatetime

from modelscan.tokens.account import Account
from modelscan.tokens.book import TokenState, state_of
from modelscan.types import ClientToken, Frozen

__all__ = ["LimitStanding", "TokenStanding", "standing_of"]


class LimitStanding(Frozen):
    """How a token stands with one of its limits."""

    limit: str
    """The field of its terms."""
    most: int | Decimal
    used: int | Decimal
    held: int | Decimal
    """For requests that run."""
    until: AwareDatetime | None
    """When the window ends; None where it is about what runs at once."""


class TokenStanding(ClientToken):
    """A token with its state and its limits."""

    state: TokenState
    limits: tuple[LimitStanding, ...] = ()


def standing_of(account: Account, now: float) -> TokenStanding:
    """The token of an account, at `now` in seconds since 1970."""
    token = account.token
    limits = tuple(LimitStanding(**use._asdict()) for use in account.uses(now))
    return TokenStanding(**dict(token), state=state_of(token, now), limits=limits)
