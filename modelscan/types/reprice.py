"""Usage that is priced anew: which, what changes, and what was done."""

from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime

from modelscan.types.base import Frozen

__all__ = ["Reprice", "RepriceAudit", "RepriceScope", "RepricedModel"]


class RepriceScope(Frozen):
    """Which usage rows are priced anew, and by which prices."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """Rows of before it; None, as all else here: without such a bound."""
    provider: str | None = None
    model: str | None = None
    prices: Literal["now", "then"] = "now"
    """now: the price in force today counts for all rows. then: for each row that in force when it was made; for rows of
    before the first one, the first."""


class RepricedModel(Frozen):
    """The rows of one model that change."""

    provider: str
    model: str
    rows: int
    became_known: int
    """How many of them had no known cost."""
    before_usd: Decimal
    """The sum of what was known of them."""
    after_usd: Decimal
    prices: tuple[str, ...]
    """The ids of the price versions that they are reckoned with now."""


class Reprice(Frozen):
    """What pricing anew changes, or changed."""

    scope: RepriceScope
    rows: int
    became_known: int
    before_usd: Decimal
    after_usd: Decimal
    difference_usd: Decimal
    unknown: int
    """Rows that reached a provider and whose cost is still unknown after it."""
    models: tuple[RepricedModel, ...]
    """By how much they change, the most first."""
    audit: str | None = None
    """The audit row's id, where it was done and changed something."""


class RepriceAudit(Frozen):
    """That it was done: never changed, never removed."""

    id: str
    at: AwareDatetime
    by: str
    """The user of the command line, or `api`."""
    done: Reprice
