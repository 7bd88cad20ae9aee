"""What one token has used of its limits and budgets, and what its running requests may still use."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

from modelscan.errors import TokenLimited
from modelscan.limits import DAY, MINUTE, MONTH, Held
from modelscan.tokens.allowance import Allowance
from modelscan.tokens.limit import SOON_SECONDS, Limit, Wanted, limits_of
from modelscan.tokens.spent import NOTHING, Spent
from modelscan.types import ClientToken

__all__ = ["Account", "Hold", "Use"]

Amount = TypeVar("Amount", int, Decimal)
_ZERO = Decimal(0)
_TPM = "tpm"


class Use(NamedTuple):
    """How a token stands with one of its limits."""

    limit: str
    most: int | Decimal
    used: int | Decimal
    held: int | Decimal
    """For requests that run."""
    until: datetime | None
    """When the window ends; None where it is about what runs at once."""


class Hold:
    """What a running request holds of its token. Settled once; a second time does nothing."""

    __slots__ = ("_account", "_tokens", "_usd")

    def __init__(self, account: "Account", tokens: list[Held[int]], usd: list[Held[Decimal]]) -> None:
        self._account: Account | None = account
        self._tokens = tokens
        self._usd = usd

    def settle(self, tokens: int, usd: Decimal = _ZERO) -> None:
        """The request is over: count what it used, and give back the rest."""
        if self._account is None:
            return
        self._account.running -= 1
        self._account = None
        for held in self._tokens:
            held.settle(tokens)
        for cost in self._usd:
            cost.settle(usd)


class Account:
    """Of one token, in memory. Not for several threads."""

    __slots__ = ("_requests", "_tokens", "_usd", "allowance", "expires", "running", "token")

    def __init__(self, token: ClientToken, now: float, spent: Spent = NOTHING) -> None:
        self.running = 0
        self._requests: tuple[Limit[int], ...] = ()
        self._tokens: tuple[Limit[int], ...] = ()
        self._usd: tuple[Limit[Decimal], ...] = ()
        self.change(token, now, spent)

    def change(self, token: ClientToken, now: float, spent: Spent = NOTHING) -> None:
        """The token as it is now: what is counted stays, and a limit that is new begins with what was `spent`."""
        self.token = token
        self.allowance = Allowance(token.name, token.terms)
        self.expires = token.expires_at.timestamp() if token.expires_at else float("inf")
        terms, (minute, day, month) = token.terms, spent
        requests = [Wanted("rpm", MINUTE, terms.rpm, minute.requests)]
        tokens = [
            Wanted(_TPM, MINUTE, terms.tpm, minute.tokens),
            Wanted("daily_tokens", DAY, terms.daily_tokens, day.tokens),
            Wanted("monthly_tokens", MONTH, terms.monthly_tokens, month.tokens),
        ]
        usd = [
            Wanted("daily_usd", DAY, terms.daily_usd, day.usd),
            Wanted("monthly_usd", MONTH, terms.monthly_usd, month.usd),
        ]
        self._requests = limits_of(requests, self._requests, now)
        self._tokens = limits_of(tokens, self._tokens, now)
        self._usd = limits_of(usd, self._usd, now)

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens a request may use."""
        return bool(self._tokens)

    @property
    def counts_usd(self) -> bool:
        """Whether it matters what a request may cost."""
        return bool(self._usd)

    def reserve(self, tokens: int, usd: Decimal, now: float) -> Hold:
        """Hold the most that a request may use, of all limits or of none.

        Raises TokenLimited or BudgetSpent, which say when there is room again.
        """
        most = self.token.terms.concurrency
        if most is not None and self.running >= most:
            raise self._busy(most)
        for limit in self._requests:
            if not limit.window.room(1, now):
                raise limit.refusal(self.token.name, 1, now)
        asked = [_within(limit, tokens) for limit in self._tokens]
        for limit, amount in zip(self._tokens, asked, strict=True):
            if not limit.window.room(amount, now):
                raise limit.refusal(self.token.name, amount, now)
        for cost in self._usd:
            if not cost.window.room(usd, now):
                raise cost.refusal(self.token.name, usd, now)
        self.running += 1
        for limit in self._requests:
            limit.window.count(1, now)  # However it ends, it was a request.
        held = [limit.window.reserve(amount, now) for limit, amount in zip(self._tokens, asked, strict=True)]
        return Hold(self, held, [cost.window.reserve(usd, now) for cost in self._usd])

    def uses(self, now: float) -> Iterator[Use]:
        """How it stands with each of its limits."""
        if (most := self.token.terms.concurrency) is not None:
            yield Use("concurrency", most, self.running, 0, None)
        yield from (_use(limit, now) for limit in (*self._requests, *self._tokens))
        yield from (_use(limit, now) for limit in self._usd)

    def _busy(self, most: int) -> TokenLimited:
        return TokenLimited(
            f"The token {self.token.name} may have {most} requests running at once, and has.",
            hint="Wait until one has ended.",
            retry_after=SOON_SECONDS,
            limit="concurrency",
        )


def _use(limit: Limit[Amount], now: float) -> Use:
    window = limit.window
    window.turn(now)
    assert window.limit is not None
    return Use(limit.term, window.limit, window.used, window.reserved, datetime.fromtimestamp(window.until, UTC))


def _within(limit: Limit[int], tokens: int) -> int:
    """A request that may use more than a minute has gets a whole unused minute; a budget is kept to the letter."""
    most = limit.window.limit
    return min(tokens, most) if limit.term == _TPM and most is not None else tokens
