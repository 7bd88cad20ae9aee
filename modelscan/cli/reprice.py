"""`modelscan usage reprice` and `audits`: usage priced anew, after the difference was shown."""

import getpass
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import click

from modelscan.catalog import reprice as table
from modelscan.cli.catalogue import catalogue_of, read_rows
from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import NotFound
from modelscan.types import Reprice, RepriceAudit, RepriceScope, utc_now
from modelscan.usage.ranges import moment

__all__ = ["audits", "reprice"]


@click.command()
@click.option("--since", help="Rows from then on: 24h, 7d, today, 2026-11-27 …; all that are kept unless given.")
@click.option("--until", help="Rows of before then.")
@click.option("--provider", help="Only of this provider.")
@click.option("--model", help="Only of this model, by its id at the provider.")
@click.option(
    "--prices",
    type=click.Choice(["now", "then"]),
    default="now",
    show_default=True,
    help="By the prices in force now, or by those in force when each row was made.",
)
@click.option("--apply", "applied", is_flag=True, help="Do it without asking.")
@json_option
@click.pass_obj
def reprice(session: Session, /, applied: bool, since: str | None, until: str | None, **only: Any) -> None:
    """Show what usage costs by corrected prices, and apply it once you say so."""
    now = utc_now()
    scope = RepriceScope(since=since and moment(since, now), until=until and moment(until, now), **only)
    database = catalogue_of(session)
    if database is None:
        raise NotFound("There is no usage yet.", hint="Start the service, and send it a request.")
    found = table.preview(database, scope)
    if not session.as_json:
        _show(found)
    if found.rows and (applied or _wanted(session)):
        found = table.apply(database, scope, _who())
        if not session.as_json:
            click.echo(f"Applied to {_requests(found.rows)}, as audit {found.audit} says: modelscan usage audits")
            click.echo("Budgets of tokens count it from the service's next start on.")
    elif found.rows and not session.as_json:
        click.echo("Nothing is changed yet. Apply it: the same command with --apply")
    if session.as_json:
        print_json(found.model_dump(mode="json"))


@click.command()
@json_option
@click.pass_obj
def audits(session: Session) -> None:
    """List when usage was priced anew, by whom, and what it changed."""
    columns: dict[str, Callable[[RepriceAudit], Any]] = {
        "id": lambda row: row.id,
        "when": lambda row: f"{row.at:%Y-%m-%d %H:%M:%S}",
        "by": lambda row: row.by,
        "rows": lambda row: row.done.rows,
        "which": lambda row: _scope(row.done.scope),
        "before $": lambda row: row.done.before_usd,
        "after $": lambda row: row.done.after_usd,
        "difference $": lambda row: row.done.difference_usd,
    }
    print_rows(session, read_rows(session, table.audits), columns, empty="No usage was priced anew yet.")


def _show(found: Reprice) -> None:
    if found.models:
        titles = ("model", "requests", "were unknown", "before $", "after $", "difference $")
        print_table(
            titles,
            (
                (f"{one.provider}/{one.model}", one.rows, one.became_known, one.before_usd, one.after_usd, difference)
                for one in found.models
                if (difference := one.after_usd - one.before_usd) is not None
            ),
        )
        click.echo(
            f"\n{_requests(found.rows)} of {_scope(found.scope)}: {_usd(found.before_usd)} before, "
            f"{_usd(found.after_usd)} after, a difference of {_usd(found.difference_usd)}; "
            f"{found.became_known} had no known cost."
        )
    else:
        click.echo(f"No cost is another one by the prices in force {found.scope.prices}: {_scope(found.scope)}.")
    if found.unknown:
        click.echo(f"{_requests(found.unknown)} cost what is still unknown: modelscan prices shows what is missing.")


def _wanted(session: Session) -> bool:
    """Whether a person says so."""
    return not session.as_json and _at_a_terminal() and click.confirm("Apply it?")


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # A user without a name, as in some containers.
        return "unknown"


def _scope(scope: RepriceScope) -> str:
    of = (
        "/".join(part for part in (scope.provider or ("*" if scope.model else ""), scope.model) if part) or "all models"
    )
    since = f" since {scope.since:%Y-%m-%d %H:%M}" if scope.since else ""
    until = f" until {scope.until:%Y-%m-%d %H:%M}" if scope.until else ""
    return f"{of}{since}{until}"


def _requests(number: int) -> str:
    return f"{number:,} request{'' if number == 1 else 's'}"


def _usd(amount: Decimal) -> str:
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,f}"
