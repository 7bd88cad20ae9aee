"""Accounts for tests, at a time that the test sets."""

from decimal import Decimal
from typing import Any

from modelscan.tokens.account import Account
from modelscan.types import ClientToken, TokenTerms, utc_now

__all__ = ["NOON", "a_token", "account_of", "usd"]

NOON = 1_795_780_800.0
"""2026-11-27 12:00:00 UTC."""


def a_token(**terms: Any) -> ClientToken:
    """A token `app` with these terms."""
    return ClientToken(
        id="tok_app", name="app", prefix="msk-1234", created_at=utc_now(), terms=TokenTerms.model_validate(terms)
    )


def account_of(**terms: Any) -> Account:
    """An unused account of it at noon."""
    return Account(a_token(**terms), NOON)


def usd(text: str) -> Decimal:
    """Dollars."""
    return Decimal(text)
