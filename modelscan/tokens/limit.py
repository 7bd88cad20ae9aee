"""One limit of a token: the window in which it is counted, and how a refusal is worded."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from modelscan.errors import BudgetSpent, ModelScanError, TokenLimited
from modelscan.limits import MINUTE, Interval, Window

__all__ = ["SOON_SECONDS", "Limit", "Wanted", "limits_of"]

Amount = TypeVar("Amount", int, Decimal)
SOON_SECONDS = 1.0
"""When to try again where only requests that run are in the way."""
_LESS = "ask for a shorter answer (its limit of tokens counts)"


class Limit(NamedTuple, Generic[Amount]):
    """Of an amount in a window."""

    term: str
    """The field of the terms that sets it."""
    window: Window[Amount]

    @property
    def is_budget(self) -> bool:
        """Whether somebody must raise it (402), where of the others one only waits for the next minute (429)."""
        return self.window.interval is not MINUTE

    def refusal(
        self, name: str, amount: Amount, now: float, *, held: Amount | None = None, note: str = ""
    ) -> ModelScanError:
        """Why the token `name` gets no `amount` now: TokenLimited or BudgetSpent. `held` is what running requests hold
        of it, those of other routers too, where that is known; `note` is said as well.
        """
        window, most = self.window, self.window.limit
        assert most is not None
        used = window.used + window.elsewhere
        said = f"The token {name} may use {self._shown(most)} a {window.interval.value}: {self._shown(used)} used"
        if used + amount <= most:  # Most of what is held is given back.
            holding = (
                f"{said}, {self._shown(window.reserved if held is None else held)} held for requests that run.{note}"
            )
            return TokenLimited(holding, hint="Wait until one has ended.", retry_after=SOON_SECONDS, limit=self.term)
        kind = BudgetSpent if self.is_budget else TokenLimited
        message = f"{said}, and this request may use {self._shown(amount)}.{note}"
        if amount > most:
            return kind(message, hint=f"That is more than there ever is: {_LESS}.", limit=self.term)
        wait = window.until - now
        again = f"There is room again {_when(window.until, wait)}"
        hint = f"{again}." if self.term == "rpm" else f"{again}; or {_LESS}."
        return kind(message, hint=hint, retry_after=wait, limit=self.term)

    def _shown(self, amount: Amount) -> str:
        if isinstance(amount, Decimal):
            return f"${amount.normalize():f}"
        what = "request" if self.term == "rpm" else "token"
        return f"{amount:,} {what}{'' if amount == 1 else 's'}"


class Wanted(NamedTuple, Generic[Amount]):
    """A limit as the terms have it."""

    term: str
    interval: Interval
    most: Amount | None
    used: Amount
    """In the current window, by the usage rows."""


def limits_of(
    wanted: Iterable[Wanted[Amount]], before: Sequence[Limit[Amount]], now: float
) -> tuple[Limit[Amount], ...]:
    """Those that are set. One that was there `before` keeps what it counted; a new one begins with what was used."""
    known = {limit.term: limit.window for limit in before}
    found = []
    for term, interval, most, used in wanted:
        if most is None:
            continue
        window = known.get(term)
        if window is None:
            window = Window(interval, used - used, most)
            window.restore(used, now)
        window.limit = most
        found.append(Limit(term, window))
    return tuple(found)


def _when(until: float, wait: float) -> str:
    at = datetime.fromtimestamp(until, UTC)
    if wait < 120:
        return f"in {wait:.0f} s"
    return f"from {at:%Y-%m-%d %H:%M} UTC on (in {_span(wait)})"


def _span(seconds: float) -> str:
    hours, minutes = int(seconds // 3600), int(seconds // 60)
    return f"{hours // 24} d" if hours >= 48 else f"{hours} h" if hours >= 2 else f"{minutes} min"
