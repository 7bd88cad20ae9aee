"""`modelscan changes`: what changed at providers, what waits for the operator's word, and that word."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from modelscan.catalog import drift
from modelscan.cli.access import service_of
from modelscan.cli.catalogue import catalogue_of, read_rows
from modelscan.cli.change_feed import follow
from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.session import Session, json_option
from modelscan.drift.asking import asked_changes
from modelscan.errors import ChangeNotFound
from modelscan.types import DriftEvent, DriftKind, DriftState
from modelscan.visible import visible

__all__ = ["changes"]

_EMPTY = "No such change was found. Providers are looked at by the flows rediscover-catalog and refresh-prices."
_LONGEST = 60
_COLUMNS: dict[str, Callable[[DriftEvent], Any]] = {
    "when": lambda row: f"{row.found_at:%Y-%m-%d %H:%M}",
    "kind": lambda row: row.kind,
    "of": lambda row: row.subject,
    "field": lambda row: row.field,
    "before → after": lambda row: f"{_short(row.before)} → {_short(row.after)}",
    "source": lambda row: row.source or None,
    "state": lambda row: row.state,
    "id": lambda row: row.id,
}


@click.group(invoke_without_command=True)
@click.option("--kind", multiple=True, metavar="KIND", help=f"Only of these kinds: {', '.join(DriftKind)}.")
@click.option("--provider", metavar="ID", help="Only of this provider, or this source.")
@click.option("--since", metavar="WHEN", help="Only what was found since: 24h, 7d, today, 2026-11-27, …")
@click.option("--state", multiple=True, metavar="STATE", help=f"Only in these states: {', '.join(DriftState)}.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, drift.MOST), help="So many at most.")
@click.option("--follow", "following", is_flag=True, help="Go on, and print each change as it is found or judged.")
@json_option
@click.pass_context
def changes(context: click.Context, /, limit: int, following: bool, **words: Any) -> None:
    """List what changed at providers, the newest first; show, approve or reject one that is held."""
    if context.invoked_subcommand:
        return
    session: Session = context.obj
    asked = asked_changes([*_words(words), ("limit", str(limit))])
    found = read_rows(session, asked.found)
    if following:
        follow(session, asked, tuple(reversed(found)))
        return
    print_rows(session, found, _COLUMNS, empty=_EMPTY)
    if not session.as_json and any(one.state is DriftState.HELD for one in found):
        click.echo("\nWhat is held does not count yet. See one: modelscan changes show ID")


def _words(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each option that was given, as often as it was."""
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        yield from ((name, one) for one in values if one is not None)


def _short(value: str | None) -> str:
    return "-" if value is None else visible(value, _LONGEST)


@changes.command("show")
@click.argument("change")
@json_option
@click.pass_obj
def show(session: Session, change: str) -> None:
    """Show CHANGE whole: its values, and which records say so."""
    database = catalogue_of(session)
    if database is None:
        raise ChangeNotFound(f"There is no change {change!r}.", hint="Nothing was added yet.")
    found = drift.get(database, change)
    if session.as_json:
        print_json(found.model_dump(mode="json"))
        return
    kind = "" if found.field == found.kind else f" ({found.kind})"
    by = f" by {found.judged_by}" if found.judged_by else ""
    click.echo(f"{found.subject}: {found.field}{kind} is {found.state}{by}{_why(found)}.")
    print_table(("", "value"), (("before", found.before), ("after", found.after)))
    rows = ((one.source, one.record, one.url, f"{one.fetched_at:%Y-%m-%d %H:%M}") for one in found.evidence)
    print_table(("source", "record", "where", "when"), rows)
    if found.state is DriftState.HELD:
        click.echo(f"Have it count: modelscan changes approve {found.id}")
        click.echo(f"Never take this value: modelscan changes reject {found.id}")


def _why(found: DriftEvent) -> str:
    return f": {visible(found.reason)}" if found.reason else ""


@changes.command("approve")
@click.argument("change", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; it is kept with the change.")
@json_option
@click.pass_obj
def approve(session: Session, change: tuple[str, ...], reason: str) -> None:
    """Have each CHANGE take effect; a published client is discovered and proved anew for it."""
    decided = _judged(session, change, "approve", reason)
    if session.as_json:
        print_json(decided)
        return
    for one in decided:
        said = DriftEvent.model_validate(one["change"])
        click.echo(f"{said.subject}: {said.field} is {_short(said.after)} from now on.")
        if queued := one["discovery"]:
            click.echo(f"Its client is proved anew before it is served: discovery {queued['id']}.")


@changes.command("reject")
@click.argument("change", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; it is kept with the change.")
@json_option
@click.pass_obj
def reject(session: Session, change: tuple[str, ...], reason: str) -> None:
    """Leave what counts as it is; no CHANGE to the same value is asked for again."""
    decided = _judged(session, change, "reject", reason)
    if session.as_json:
        print_json(decided)
        return
    for one in decided:
        said = DriftEvent.model_validate(one["change"])
        click.echo(
            f"{said.subject}: {said.field} stays {_short(said.before)}. Undo it: modelscan changes approve {said.id}"
        )


def _judged(session: Session, ids: tuple[str, ...], verdict: str, reason: str) -> list[dict[str, Any]]:
    service = service_of(session)
    return [service.post(f"/api/changes/{one}/{verdict}", {"reason": reason}) for one in ids]
