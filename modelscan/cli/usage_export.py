"""`modelscan usage export`: usage rows as a file for other tools."""

from pathlib import Path

import click

from modelscan.catalog.export import export as written
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.display import print_json
from modelscan.cli.session import Session, json_option
from modelscan.cli.stats import where_words
from modelscan.errors import InvalidInput
from modelscan.usage.asking import asked_stats

__all__ = ["export"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--since", help="From then on: 24h, 7d, today, 2026-11-27 …; all rows that are kept unless given.")
@click.option("--until", help="Before then.")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only these, such as status=5xx; may be repeated.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@json_option
@click.pass_obj
def export(
    session: Session, file: Path, since: str | None, until: str | None, where: tuple[str, ...], force: bool
) -> None:
    """Write usage rows to FILE, which ends in .parquet or .csv: whole, or not at all."""
    words = [(name, value) for name, value in (("since", since), ("until", until)) if value]
    asked = asked_stats([*words, *where_words(where)])
    if (database := catalogue_of(session)) is None:
        raise InvalidInput("There is no catalogue yet.", hint="Start the service once: modelscan serve")
    rows = written(database, asked, file, force=force)
    if session.as_json:
        print_json({"file": str(file), "rows": rows, "bytes": file.stat().st_size})
    else:
        click.echo(f"{rows:,} rows are in {file} ({file.stat().st_size / 1024:,.0f} KiB).")
