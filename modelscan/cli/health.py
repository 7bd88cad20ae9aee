"""`modelscan health`: how the providers are doing, since when, and what says so."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import click

from modelscan.cli.access import service_of
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.visible import visible

__all__ = ["health"]

Row = Mapping[str, Any]
Columns = Mapping[str, Callable[[Row], Any]]

_NOW: Columns = {
    "provider": lambda row: row["provider"],
    "state": lambda row: row["state"],
    "since": lambda row: _when(row["since"]),
    "what was seen": lambda row: _words(row),
    "at": lambda row: _when(row["evidence"]["at"]) if row["evidence"] else None,
}
_THEN: Columns = {
    "at": lambda row: _when(row["at"]),
    "provider": lambda row: row["provider"],
    "was": lambda row: row["before"],
    "became": lambda row: row["after"],
    "what was seen": lambda row: _words(row),
}


@click.command()
@click.argument("provider", required=False)
@click.option("--history", is_flag=True, help="What changed, newest first.")
@json_option
@click.pass_obj
def health(session: Session, provider: str | None, history: bool) -> None:
    """Show how the providers are doing, or PROVIDER alone: up, degraded, down or unknown, since when, and why.

    What counts is what requests met in the last minutes; who has none is asked by calls that cost nothing.
    """
    service = service_of(session)
    if history:
        query = f"?{urlencode({'provider': provider})}" if provider else ""
        _print(session, service.get(f"/api/health/history{query}"), _THEN, "No state has changed yet.")
    elif provider:
        told = service.get(f"/api/health/providers/{quote(provider, safe='')}")
        if session.as_json:
            print_json(told)
        else:
            _print_one(told)
    else:
        nobody = "No provider is served, or none was looked at yet. Try: modelscan add demo/echo"
        _print(session, service.get("/api/health/providers"), _NOW, nobody)


def _print(session: Session, rows: Sequence[Row], columns: Columns, empty: str) -> None:
    if session.as_json:
        print_json(rows)
    elif rows:
        print_table(columns, ([value(row) for value in columns.values()] for row in rows))
    else:
        click.echo(empty, err=True)


def _print_one(told: Row) -> None:
    since = f" since {_when(told['since'])}" if told["since"] else ""
    click.secho(visible(f"{told['provider']} is {told['state']}{since}."), bold=True)
    if (evidence := told["evidence"]) is None:
        click.echo("Nothing was seen of it yet.")
        return
    click.echo(visible(f"By {_SOURCES[evidence['source']]} at {_when(evidence['at'])}: {evidence['words']}."))
    click.echo(f"How it came to that: modelscan health {visible(told['provider'])} --history")


_SOURCES = {"traffic": "requests of callers", "probe": "calls that cost nothing", "chat": "a chat of our own"}


def _words(row: Row) -> str | None:
    return row["evidence"]["words"] if row["evidence"] else None


def _when(told: str) -> str:
    return f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M:%S}Z"
