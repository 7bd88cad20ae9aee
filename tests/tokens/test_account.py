"""What a token may still use, and what a refusal says."""

from decimal import Decimal
from typing import Any

import pytest

from modelscan.errors import BudgetSpent, TokenLimited
from modelscan.tokens.account import Account
from modelscan.tokens.spent import Amounts, Spent
from tests.tokens.accounts import NOON, a_token, account_of, usd

ZERO = Decimal(0)


def used(account: Account, at: float = NOON) -> dict[str, tuple[Any, Any]]:
    return {use.limit: (use.used, use.held) for use in account.uses(at)}


def test_without_limits_everything_is_granted_and_nothing_counted() -> None:
    account = account_of()
    for _ in range(3):
        account.reserve(10**9, usd("1000000"), NOON)
    assert (account.running, used(account)) == (3, {})
    assert not account.counts_tokens
    assert not account.counts_usd


def test_the_third_request_of_two_a_minute_waits_for_the_next() -> None:
    account = account_of(rpm=2)
    for _ in range(2):
        account.reserve(1, ZERO, NOON + 10).settle(1)
    with pytest.raises(TokenLimited, match=r"may use 2 requests a minute: 2 requests used.*again in 45 s") as refused:
        account.reserve(1, ZERO, NOON + 15)
    assert refused.value.fields == {"retry_after": 45.0, "limit": "rpm"}
    account.reserve(1, ZERO, NOON + 60)


def test_a_request_that_failed_was_one_and_used_nothing() -> None:
    account = account_of(rpm=5, tpm=100, daily_usd="1")
    account.reserve(60, usd("0.5"), NOON).settle(0)
    assert used(account) == {"rpm": (1, 0), "tpm": (0, 0), "daily_usd": (ZERO, ZERO)}


def test_what_runs_holds_the_most_and_gives_back_what_it_did_not_use() -> None:
    account = account_of(monthly_tokens=100, monthly_usd="1")
    hold = account.reserve(60, usd("0.6"), NOON)
    assert used(account) == {"monthly_tokens": (0, 60), "monthly_usd": (ZERO, usd("0.6"))}
    with pytest.raises(TokenLimited, match=r"0 tokens used, 60 tokens held for requests that run") as refused:
        account.reserve(50, ZERO, NOON)
    assert refused.value.fields["retry_after"] == 1.0
    hold.settle(20, usd("0.1"))
    hold.settle(20, usd("0.1"))
    assert used(account) == {"monthly_tokens": (20, 0), "monthly_usd": (usd("0.1"), ZERO)}
    assert account.running == 0


def test_a_spent_budget_says_when_there_is_another() -> None:
    account = account_of(monthly_usd="20")
    account.reserve(0, usd("19.5"), NOON).settle(0, usd("19.5"))
    with pytest.raises(BudgetSpent) as refused:
        account.reserve(0, usd("0.60"), NOON)
    assert str(refused.value) == (
        "The token app may use $20 a month: $19.5 used, and this request may use $0.6. "
        "There is room again from 2026-12-01 00:00 UTC on (in 3 d); or ask for a shorter answer (its limit of tokens "
        "counts)."
    )
    assert refused.value.fields == {"retry_after": 302_400.0, "limit": "monthly_usd"}
    account.reserve(0, usd("0.5"), NOON)


@pytest.mark.parametrize(
    ("at", "said"), [(NOON, "00:00 UTC on (in 12 h)"), (NOON + 39_600, "(in 60 min)"), (NOON + 43_150, "again in 50 s")]
)
def test_a_day_ends_at_midnight(at: float, said: str) -> None:
    account = Account(a_token(daily_tokens=10), at)
    account.reserve(10, ZERO, at).settle(10)
    with pytest.raises(BudgetSpent) as refused:
        account.reserve(1, ZERO, at)
    assert said in str(refused.value)
    account.reserve(10, ZERO, NOON + 43_200)


def test_a_request_larger_than_the_budget_never_fits_and_has_no_time_to_wait_for() -> None:
    with pytest.raises(BudgetSpent, match="more than there ever is") as refused:
        account_of(daily_usd="0.01").reserve(0, usd("0.02"), NOON)
    assert "retry_after" not in refused.value.fields


def test_a_request_larger_than_a_minutes_tokens_gets_an_unused_minute() -> None:
    account = account_of(tpm=100)
    account.reserve(1_000, ZERO, NOON).settle(30)
    with pytest.raises(TokenLimited, match="100 tokens a minute: 30 tokens used"):
        account.reserve(1_000, ZERO, NOON)
    account.reserve(70, ZERO, NOON)


def test_two_at_once_and_no_third() -> None:
    account = account_of(concurrency=2)
    first, _ = account.reserve(1, ZERO, NOON), account.reserve(1, ZERO, NOON)
    with pytest.raises(TokenLimited, match="2 requests running at once, and has"):
        account.reserve(1, ZERO, NOON)
    first.settle(0)
    account.reserve(1, ZERO, NOON)
    assert used(account) == {"concurrency": (2, 0)}


def test_a_refusal_holds_nothing() -> None:
    account = account_of(rpm=9, tpm=100, monthly_tokens=100, daily_usd="1")
    with pytest.raises(BudgetSpent):
        account.reserve(50, usd("2"), NOON)
    assert account.running == 0
    assert set(used(account).values()) == {(0, 0)}


def test_it_begins_with_what_the_rows_say() -> None:
    spent = Spent(Amounts(1, 10, usd("0.1")), Amounts(2, 20, usd("0.2")), Amounts(3, 30, usd("0.3")))
    terms = {"rpm": 9, "tpm": 99, "daily_tokens": 99, "monthly_tokens": 99, "daily_usd": 9, "monthly_usd": 9}
    account = Account(a_token(**terms), NOON, spent)
    assert [counted for counted, _ in used(account).values()] == [1, 10, 20, 30, usd("0.2"), usd("0.3")]


def test_other_terms_keep_what_is_counted_and_what_runs() -> None:
    account = account_of(rpm=9, daily_tokens=100)
    hold = account.reserve(40, ZERO, NOON)
    account.change(a_token(daily_tokens=50, monthly_tokens=90), NOON, Spent(month=Amounts(tokens=7)))
    assert used(account) == {"daily_tokens": (0, 40), "monthly_tokens": (7, 0)}
    with pytest.raises(TokenLimited):
        account.reserve(20, ZERO, NOON)
    hold.settle(5)
    assert used(account) == {"daily_tokens": (5, 0), "monthly_tokens": (7, 0)}
