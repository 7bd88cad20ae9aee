"""What is typed of a token's limits, and of its end."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from modelscan.errors import InvalidInput
from modelscan.types import TokenTerms, utc_now

__all__ = ["EXPIRY", "Expiry", "changed_terms", "expires_option", "term_options", "terms_of"]

Function = TypeVar("Function", bound=Callable[..., Any])
_SPAN = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NONE = "none"
_NUMBERS = (
    ("--rpm", "rpm", "Requests a minute."),
    ("--tpm", "tpm", "Tokens a minute, of prompts and answers together."),
    ("--concurrency", "concurrency", "Requests at once."),
    ("--daily-usd", "daily_usd", "US dollars a day (UTC)."),
    ("--monthly-usd", "monthly_usd", "US dollars a month (UTC)."),
    ("--daily-tokens", "daily_tokens", "Tokens a day (UTC)."),
    ("--monthly-tokens", "monthly_tokens", "Tokens a month (UTC)."),
)


class Expiry(click.ParamType[datetime]):
    """A time to come, as `2027-01-31`, `2027-01-31T12:00` (UTC unless it says otherwise), or a span from now: `30d`."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time; fails with words for what is none."""
        if isinstance(value, datetime):
            return value
        try:
            if span := _SPAN.fullmatch(value):
                return utc_now() + timedelta(**{_UNITS[span[2]]: int(span[1])})
            at = datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a span (90m, 12h, 30d, 4w) nor a time (2027-01-31).", param, ctx)

    @staticmethod
    def shown(at: datetime | None) -> str | None:
        """The time as people read it."""
        return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


EXPIRY = Expiry()
expires_option = click.option("--expires", type=EXPIRY, help="When it ends: 90m, 12h, 30d, 4w, or 2027-01-31.")


def term_options(command: Function) -> Function:
    """Give a command an option for each of a token's terms."""
    price = "--allow-unknown-price/--refuse-unknown-price"
    options = [
        click.option("--model", "models", multiple=True, metavar="GLOB", help="A model that it may use; repeatable."),
        click.option("--provider", "providers", multiple=True, metavar="GLOB", help="A provider, likewise."),
        *(click.option(flag, name, metavar="N", help=text) for flag, name, text in _NUMBERS),
        click.option(price, default=None, help="Models without a known price, where there is a budget in dollars."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def terms_of(typed: Mapping[str, Any]) -> TokenTerms:
    """The terms of a new token; raises InvalidInput."""
    return changed_terms(TokenTerms(), typed)


def changed_terms(terms: TokenTerms, typed: Mapping[str, Any]) -> TokenTerms:
    """The terms with what was typed in the place of what was there; `none` takes it away. Raises InvalidInput."""
    given = {name: _value(value) for name, value in typed.items() if value not in (None, ())}
    try:
        return TokenTerms.model_validate({**terms.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise InvalidInput(f"--{name}: {first['msg']}.", hint="modelscan tokens issue --help") from None


def _value(typed: Any) -> Any:
    if isinstance(typed, tuple):
        return () if typed == (_NONE,) else typed
    return None if typed == _NONE else typed
