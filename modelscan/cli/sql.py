"""`modelscan sql`: a read-only door to the catalogue for the operator's own questions."""

import sys

import click

from modelscan.catalog.door import ask
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import InvalidInput

__all__ = ["sql"]


@click.command()
@click.argument("statement")
@click.option(
    "--limit", default=1000, type=click.IntRange(1, 1_000_000), show_default=True, help="At most so many rows."
)
@click.option("--timeout", default=10.0, type=click.FloatRange(0.1, 600), show_default=True, help="Seconds.")
@json_option
@click.pass_obj
def sql(session: Session, statement: str, limit: int, timeout: float) -> None:
    """Ask the catalogue one SELECT, or that of standard input where STATEMENT is -.

    It reads, and can do nothing else; secrets are in no view. DESCRIBE usage lists a view's columns.
    """
    if (database := catalogue_of(session)) is None:
        raise InvalidInput("There is no catalogue yet.", hint="Start the service once: modelscan serve")
    found, more = ask(database, sys.stdin.read() if statement == "-" else statement, rows=limit, seconds=timeout)
    if session.as_json:
        print_json([dict(zip(found.names, row, strict=True)) for row in found.values])
    else:
        print_table(found.names, found.values)
    if more:
        click.echo(f"There are more than these {limit:,} rows: --limit shows more.", err=True)
