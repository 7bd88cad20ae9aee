"""What one token has used of its limits and budgets, and what its running requests may still use."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from modelscan.errors import TokenLimited
from modelscan.limits import DAY, MINUTE, MONTH, Held
from modelscan.tokens.allowance import Allowance
from modelscan.tokens.limit import SOON_SECONDS, Limit, Wanted, limits_of
from modelscan.tokens.spent import NOTHING, Spent
from modelscan.types import ClientToken, TokenTerms

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

    __slots__ = ("_account", "_tokens", "_usd", "ended")

    def __init__(self, account: "Account", tokens: list[Held[int]], usd: list[Held[Decimal]]) -> None:
        self._account: Account | None = account
        self._tokens = tokens
        self._usd = usd
        self.ended: Callable[[int, Decimal], None] | None = None
        """Hears what was used, where routers share the limits."""

    def parts(self) -> Iterator[tuple[Limit[Any], int | Decimal]]:
        """What is held, by limit; the request itself among it."""
        if self._account is not None:
            yield from self._account.parts(self._tokens, self._usd)

    def cancel(self) -> None:
        """Take all of it back, the request itself too: another router's had taken the room."""
        if self._account is not None:
            self._account.uncount()
        self.settle(0)

    def settle(self, tokens: int, usd: Decimal = _ZERO) -> None:
        """The request is over: count what it used, and give back the rest."""
        if self._account is None:
            return
        self._account.running -= 1
        self._account = None
        if self.ended is not None:
            self.ended(tokens, usd)
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
        requests, tokens, usd = _wanted(token.terms, spent)
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
            raise self.busy(most)
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

    def parts(
        self, tokens: Sequence[Held[int]], usd: Sequence[Held[Decimal]]
    ) -> Iterator[tuple[Limit[Any], int | Decimal]]:
        """What a request holds of each limit; `tokens` and `usd` are in their order."""
        yield from ((limit, 1) for limit in self._requests)
        # A limit that was set or taken away since is none of the request's.
        yield from ((limit, held.amount) for limit, held in zip(self._tokens, tokens, strict=False))
        yield from ((limit, held.amount) for limit, held in zip(self._usd, usd, strict=False))

    def by_rows(self, spent: Spent) -> Iterator[tuple[Limit[Any], int | Decimal]]:
        """What was `spent` of each limit."""
        wanted = (one for group in _wanted(self.token.terms, spent) for one in group if one.most is not None)
        limits = (*self._requests, *self._tokens, *self._usd)
        yield from zip(limits, (one.used for one in wanted), strict=True)

    def limit(self, term: str) -> Limit[Any] | None:
        """The limit that a field of the terms sets."""
        limits: tuple[Limit[Any], ...] = (*self._requests, *self._tokens, *self._usd)
        return next((limit for limit in limits if limit.term == term), None)

    def uncount(self) -> None:
        """The last request was none."""
        for limit in self._requests:
            limit.window.used = max(limit.window.used - 1, 0)

    def uses(self, now: float) -> Iterator[Use]:
        """How it stands with each of its limits."""
        if (most := self.token.terms.concurrency) is not None:
            yield Use("concurrency", most, self.running, 0, None)
        yield from (_use(limit, now) for limit in (*self._requests, *self._tokens))
        yield from (_use(limit, now) for limit in self._usd)

    def busy(self, most: int) -> TokenLimited:
        """The refusal where `most` requests run."""
        return TokenLimited(
            f"The token {self.token.name} may have {most} requests running at once, and has.",
            hint="Wait until one has ended.",
            retry_after=SOON_SECONDS,
            limit="concurrency",
        )


def _wanted(terms: TokenTerms, spent: Spent) -> tuple[list[Wanted[int]], list[Wanted[int]], list[Wanted[Decimal]]]:
    """Limits of requests, of tokens and of dollars."""
    minute, day, month = spent
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
    return requests, tokens, usd


def _use(limit: Limit[Amount], now: float) -> Use:
    window = limit.window
    window.turn(now)
    assert window.limit is not None
    return Use(
        limit.term,
        window.limit,
        window.used + window.elsewhere,
        window.reserved,
        datetime.fromtimestamp(window.until, UTC),
    )


def _within(limit: Limit[int], tokens: int) -> int:
    """A request that may use more than a minute has gets a whole unused minute; a budget is kept to the letter."""
    most = limit.window.limit
    return min(tokens, most) if limit.term == _TPM and most is not None else tokens
