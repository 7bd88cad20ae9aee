"""Whatever requests, failures, restarts and months come in whatever order: no limit is overrun, and nothing leaks."""

from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from modelscan.errors import BudgetSpent, TokenLimited
from modelscan.limits import DAY, MINUTE, MONTH, Interval
from modelscan.tokens.account import Account, Hold
from modelscan.tokens.spent import Amounts, Spent
from tests.tokens.accounts import NOON, a_token

TERMS = {
    "rpm": 4,
    "tpm": 300,
    "concurrency": 3,
    "daily_tokens": 700,
    "monthly_tokens": 1_000,
    "daily_usd": "0.07",
    "monthly_usd": "0.1",
}
PRICE = Decimal("0.0001")


class Request(NamedTuple):
    at: float
    most: int
    hold: Hold
    life: int
    """Of the process that it runs in."""


class Row(NamedTuple):
    at: float
    tokens: int


class Requests(RuleBasedStateMachine):
    running: Bundle[Request] = Bundle("running")

    @initialize()
    def begin(self) -> None:
        self.now, self.life = NOON, 0
        self.rows: list[Row] = []
        self.held: list[Request] = []
        self.account = Account(a_token(**TERMS), self.now)

    @rule(target=running, most=st.integers(0, 400))
    def reserve(self, most: int) -> Request:
        before = self.seen()
        try:
            hold = self.account.reserve(most, most * PRICE, self.now)
        except (TokenLimited, BudgetSpent) as refused:
            assert self.seen() == before
            self.is_honest(refused, most)
            return Request(self.now, most, Hold(self.account, [], []), -1)
        request = Request(self.now, most, hold, self.life)
        self.held.append(request)
        return request

    def is_honest(self, refused: TokenLimited | BudgetSpent, most: int) -> None:
        """After the wait that it tells, an account that nothing else uses grants it."""
        if (wait := refused.fields.get("retry_after")) is None:
            assert most * PRICE > Decimal("0.07") or most > 700
            return
        later = Account(a_token(**TERMS), self.now + wait + 1, self.spent(self.now + wait + 1))
        if refused.fields["limit"] in ("rpm", "tpm"):
            assert later.reserve(0, Decimal(0), self.now + wait + 1)

    @rule(request=consumes(running), part=st.floats(0, 1), twice=st.booleans())
    def end(self, request: Request, part: float, twice: bool) -> None:
        """It succeeded, failed (nothing was used), or was cancelled after a part of it."""
        if request not in self.held:  # It was refused, or the process that it ran in was killed.
            return
        tokens = round(request.most * part)
        for _ in range(1 + twice):
            request.hold.settle(tokens, tokens * PRICE)
        self.held.remove(request)
        self.rows.append(Row(request.at, tokens))

    @rule(seconds=st.sampled_from([0.5, 7.0, 60.0, 3_600.0, 86_400.0, 31 * 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        """What ran is gone; the rows tell the rest."""
        self.life += 1
        self.held.clear()
        self.account = Account(a_token(**TERMS), self.now, self.spent(self.now))

    @rule(monthly=st.sampled_from([1_000, 400, 2_000]))
    def change(self, monthly: int) -> None:
        """The operator changes the terms and, having thought about it, changes them back."""
        self.account.change(a_token(**{**TERMS, "monthly_tokens": monthly}), self.now)
        self.account.change(a_token(**TERMS), self.now)

    def spent(self, now: float) -> Spent:
        return Spent(*(self.within(interval, now) for interval in (MINUTE, DAY, MONTH)))

    def within(self, interval: Interval, now: float) -> Amounts:
        began, until = interval.bounds(now)
        found = [row for row in self.rows if began <= row.at < until]
        tokens = sum(row.tokens for row in found)
        return Amounts(len(found), tokens, tokens * PRICE)

    def seen(self) -> dict[str, tuple[int | Decimal, int | Decimal]]:
        return {use.limit: (use.used, use.held) for use in self.account.uses(self.now)}

    @invariant()
    def counters_agree_with_the_rows(self) -> None:
        seen = self.seen()
        assert self.account.running == len(self.held)
        minute, day, month = self.spent(self.now)
        started = sum(request.at >= MINUTE.bounds(self.now)[0] for request in self.held)
        assert seen["rpm"] == (minute.requests + started, 0)
        assert seen["tpm"] == (minute.tokens, self.holding(MINUTE, 300))
        assert seen["daily_tokens"] == (day.tokens, self.holding(DAY))
        assert seen["monthly_tokens"] == (month.tokens, self.holding(MONTH))
        assert seen["daily_usd"] == (day.usd, self.holding(DAY) * PRICE)
        assert seen["monthly_usd"] == (month.usd, self.holding(MONTH) * PRICE)

    def holding(self, interval: Interval, most: int = 10**9) -> int:
        began, _ = interval.bounds(self.now)
        return sum(min(request.most, most) for request in self.held if request.at >= began)

    @invariant()
    def no_limit_is_overrun(self) -> None:
        for use in self.account.uses(self.now):
            # A minute's tokens may be passed by the one request that is larger than all of them.
            slack = 100 if use.limit == "tpm" else 0
            assert use.used + use.held <= use.most + slack, use


Requests.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRequests = pytest.mark.no_cover(Requests.TestCase)
