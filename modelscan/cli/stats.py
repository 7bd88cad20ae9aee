"""`modelscan stats`: usage added up, as a table with small charts."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from modelscan.catalog.stats import stats as added_up
from modelscan.catalog.tokens import list_tokens
from modelscan.cli.catalogue import read_rows
from modelscan.cli.charts import bar, sparkline
from modelscan.cli.display import print_rows
from modelscan.cli.session import Session, json_option
from modelscan.errors import InvalidInput
from modelscan.types import StatsQuery, UsageStat
from modelscan.usage.asking import DIMENSIONS, asked_stats

__all__ = ["stats", "where_words"]

_TIMES = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}


@click.command()
@click.option("--by", default="provider,model", help=f"By what, with commas between: {', '.join(DIMENSIONS)}; or all.")
@click.option("--bucket", type=click.Choice(list(_TIMES)), help="And by time, in UTC.")
@click.option("--since", help="From then on: 24h, 7d, today, 2026-11-27 …; all that is kept unless given.")
@click.option("--until", help="Before then.")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only these, such as status=5xx; may be repeated.")
@click.option("--model", help="Only this model, also by the name that was asked for.")
@json_option
@click.pass_obj
def stats(session: Session, /, where: tuple[str, ...], **options: str | None) -> None:
    """Show requests, errors, tokens, cost and latency. Percentiles are within 5 % of the true ones."""
    asked = asked_stats([*((name, value) for name, value in options.items() if value), *where_words(where)])
    rows = read_rows(session, lambda database: added_up(database, asked))
    if rows and not session.as_json:
        _say_over_time(rows)
    tokens = read_rows(session, list_tokens) if "token" in asked.by else ()
    names = {token.id: token.name for token in tokens}
    print_rows(session, rows, _columns(asked, rows, names), empty="No request was counted in that time.")
    if rows and not session.as_json:
        _say_what_is_unsure(rows)


def where_words(where: Sequence[str]) -> list[tuple[str, str]]:
    """`NAME=VALUE` as pairs; raises InvalidInput."""
    words = [one.partition("=") for one in where]
    if wrong := next((name for name, sign, _ in words if not sign), None):
        raise InvalidInput(f"--where {wrong[:40]} says no value.", hint="Write, for example, --where status=5xx.")
    return [(name.strip(), value.strip()) for name, _, value in words]


def _columns(
    asked: StatsQuery, rows: Sequence[UsageStat], tokens: Mapping[str, str]
) -> dict[str, Callable[[UsageStat], Any]]:
    """By the heading; `tokens` names those that are still there."""
    largest = max((row.requests for row in rows), default=0)
    form = _TIMES.get(asked.bucket or "", "")
    columns: dict[str, Callable[[UsageStat], Any]] = {"time": lambda row: f"{row.time:{form}}"} if form else {}
    columns |= {one: lambda row, one=one: getattr(row, one) for one in asked.by}  # type: ignore[misc]
    if "token" in columns:
        columns["token"] = lambda row: tokens.get(row.token or "", row.token)
    return columns | {
        "requests": lambda row: row.requests,
        "errors": lambda row: row.errors,
        "tokens in": lambda row: row.prompt_tokens,
        "tokens out": lambda row: row.completion_tokens,
        "cached": lambda row: row.cached_tokens,
        "cost $": _cost,
        "p50 ms": lambda row: row.latency_p50_ms,
        "p95 ms": lambda row: row.latency_p95_ms,
        "first byte": lambda row: row.first_byte_p50_ms,
        "last": lambda row: f"{row.last_at:%Y-%m-%d %H:%M:%S}",
        "": lambda row: bar(row.requests, largest),
    }


def _cost(row: UsageStat) -> str | None:
    """The sum of what is known, with a + where more was used whose price is unknown."""
    if row.cost_usd is None:
        return None
    return f"{row.cost_usd:,.4f}{'+' if row.cost_unknown else ''}"


def _say_over_time(rows: Sequence[UsageStat]) -> None:
    if rows[0].time is None:
        return
    totals = [sum(row.requests for row in group) for _, group in groupby(rows, key=lambda row: row.time)]
    click.echo(f"requests {sparkline(totals)} at most {max(totals):,}\n")


def _say_what_is_unsure(rows: Sequence[UsageStat]) -> None:
    unknown, guessed = sum(row.cost_unknown for row in rows), sum(row.estimated for row in rows)
    if unknown:
        whose = "1 request" if unknown == 1 else f"{unknown:,} requests"
        click.echo(f"The cost of {whose} is unknown, and in no sum (+).", err=True)
    if guessed:
        click.echo(f"The tokens of {guessed:,} requests are an estimate, since their provider told none.", err=True)
