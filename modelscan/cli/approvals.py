"""`modelscan approvals`: the clients that were proved and wait for the operator's word."""

from collections.abc import Callable
from typing import Any

import click

from modelscan.catalog import approvals as table
from modelscan.catalog import discoveries
from modelscan.cli.access import service_of
from modelscan.cli.add import follow
from modelscan.cli.catalogue import catalogue_of, read_rows
from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.errors import show_error
from modelscan.cli.progress import Progress
from modelscan.cli.session import Session, json_option
from modelscan.errors import DiscoveryNotFound, error_from_code
from modelscan.types import Discovery

__all__ = ["approvals"]

_EMPTY = "Nothing waits for approval. With discovery.activation: approve, what was proved waits here."


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def approvals(context: click.Context) -> None:
    """List what was proved and waits for approval; show, approve or refuse one."""
    if context.invoked_subcommand:
        return
    columns: dict[str, Callable[[Discovery], Any]] = {
        "id": lambda row: row.id,
        "identifier": lambda row: row.identifier,
        "level": lambda row: row.level,
        "changes": lambda row: len(row.changes),
        "since": lambda row: f"{row.created_at:%Y-%m-%d %H:%M}",
    }
    session: Session = context.obj
    print_rows(session, read_rows(session, table.waiting), columns, empty=_EMPTY)


@approvals.command("show")
@click.argument("discovery")
@json_option
@click.pass_obj
def show(session: Session, discovery: str) -> None:
    """Show what DISCOVERY would change against the version that is served."""
    database = catalogue_of(session)
    if database is None:
        raise DiscoveryNotFound(f"There is no discovery {discovery!r}.", hint="Nothing was added yet.")
    found = discoveries.get(database, discovery)
    if session.as_json:
        print_json(found.model_dump(mode="json"))
        return
    click.echo(f"{found.identifier}: {found.state}, proved to level {found.level}.")
    if found.changes:
        print_table(("field", "before", "after"), ((one.field, one.before, one.after) for one in found.changes))
    if found.verdict:
        word = "Approved" if found.verdict.approved else "Refused"
        word = f"{word} by the {found.verdict.actor}" if found.verdict.actor else word
        click.echo(f"{word}{': ' if found.verdict.reason else ''}{found.verdict.reason}")
    elif not found.ended:
        click.echo(f"Approve it: modelscan approvals approve {found.id}")


@approvals.command("approve")
@click.argument("discovery")
@json_option
@click.pass_context
def approve(context: click.Context, discovery: str) -> None:
    """Publish what DISCOVERY has proved, exactly as it was proved."""
    session: Session = context.obj
    service = service_of(session)
    judged = Discovery.model_validate(service.post(f"/api/discoveries/{discovery}/approve", {}))
    with Progress(quiet=session.as_json) as progress:
        ended = follow(service, judged, progress.show)
    if session.as_json:
        print_json(ended.model_dump(mode="json"))
    elif ended.error is None:
        click.echo(f"{ended.identifier} is published as version {ended.version}.")
    else:
        show_error(error_from_code(ended.error.code, ended.error.message, ended.error.hint), as_json=False)
    if ended.error:
        context.exit(1)


@approvals.command("refuse")
@click.argument("discovery")
@click.option("--reason", default="", help="Why; it is kept with the discovery.")
@json_option
@click.pass_obj
def refuse(session: Session, discovery: str, reason: str) -> None:
    """Do not publish what DISCOVERY has proved; what is served is served on."""
    judged = service_of(session).post(f"/api/discoveries/{discovery}/refuse", {"reason": reason})
    if session.as_json:
        print_json(judged)
    else:
        click.echo(f"{judged['identifier']} is not published; what is served is served on.")
