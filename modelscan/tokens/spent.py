"""What the usage rows say that each token has used, by which its counters begin after a start."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from modelscan.catalog import tokens as table
from modelscan.catalog.database import Database
from modelscan.limits import DAY, MINUTE, MONTH

__all__ = ["NOTHING", "Amounts", "Most", "Spent", "spent"]

Most = Callable[[str, str, int, int], Decimal | None]
"""(provider, model, prompt tokens, completion tokens) -> US dollars that they cost at most; None: unknown."""
_ZERO = Decimal(0)


class Amounts(NamedTuple):
    """Within one window."""

    requests: int = 0
    tokens: int = 0
    usd: Decimal = _ZERO

    def plus(self, other: "Amounts") -> "Amounts":
        """Both together."""
        return Amounts(self.requests + other.requests, self.tokens + other.tokens, self.usd + other.usd)


class Spent(NamedTuple):
    """Within the current minute, UTC day and UTC month: requests only of the minute, dollars only of the others."""

    minute: Amounts = Amounts()
    day: Amounts = Amounts()
    month: Amounts = Amounts()

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.minute.plus(other.minute), self.day.plus(other.day), self.month.plus(other.month))


NOTHING = Spent()


def spent(database: Database, now: float, most: Most) -> dict[str, Spent]:
    """By token id. A row without a cost counts as the most that it may have cost, where the model has a price."""
    began = {f"{one.value}": datetime.fromtimestamp(one.bounds(now)[0], UTC) for one in (MINUTE, DAY, MONTH)}
    found: dict[str, Spent] = {}
    for row in table.used(database, **began):
        found[row["token_id"]] = found.get(row["token_id"], NOTHING).plus(_of(row, most))
    return found


def _of(row: Mapping[str, Any], most: Most) -> Spent:
    return Spent(
        Amounts(row["minute_requests"], int(row["minute_tokens"])),
        Amounts(0, int(row["day_tokens"]), row["day_usd"] + _unpriced(row, "day", most)),
        Amounts(0, int(row["month_tokens"]), row["month_usd"] + _unpriced(row, "month", most)),
    )


def _unpriced(row: Mapping[str, Any], window: str, most: Most) -> Decimal:
    """As if the rows were alike: their sum would reach a tier of the price that none of them did."""
    count = row[f"{window}_unpriced"]
    if not count:
        return _ZERO
    prompt, completion = (-(-int(row[f"{window}_unpriced_{part}"]) // count) for part in ("prompt", "completion"))
    each = most(row["provider"], row["model"], prompt, completion)
    return _ZERO if each is None else each * int(count)
