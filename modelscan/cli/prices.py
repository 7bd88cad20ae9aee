"""`modelscan prices`: what models cost, since when, and who said so."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from modelscan.catalog import prices as table
from modelscan.cli.catalogue import read_rows
from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import NotFound
from modelscan.types import Identifier, PriceVersion, Tier

__all__ = ["prices"]

_EMPTY = "No price is known yet: they are taken up where a client is published. Try: modelscan add PROVIDER"
_COLUMNS: dict[str, Callable[[PriceVersion], Any]] = {
    "model": lambda row: f"{row.provider}/{row.model}",
    "in $/M": lambda row: row.tariff.input_mtok,
    "out $/M": lambda row: row.tariff.output_mtok,
    "cache read": lambda row: row.tariff.cache_read_mtok,
    "cache write": lambda row: row.tariff.cache_write_mtok,
    "longer prompts": lambda row: "; ".join(_tier(tier) for tier in row.tariff.tiers) or None,
    "source": lambda row: ", ".join(sorted({one.source for one in row.evidence.values()})) or None,
    "since": lambda row: f"{row.valid_from:%Y-%m-%d %H:%M}",
}


@click.command()
@click.argument("subject", required=False)
@json_option
@click.pass_obj
def prices(session: Session, subject: str | None) -> None:
    """Show what models cost in US dollars per million tokens: of all, of a provider, or the history of provider/model.

    A dash is unknown, never zero.
    """
    asked = Identifier.parse(subject) if subject else None
    if asked is None or asked.model is None:
        provider = asked.provider if asked else None
        rows = read_rows(session, lambda database: table.newest(database, provider))
        print_rows(session, rows, _COLUMNS, empty=_EMPTY)
        return
    rows = read_rows(session, lambda database: table.versions(database, asked.provider, asked.model))
    if not rows:
        raise NotFound(
            f"No price of {asked} is known.", hint=f"Say it: modelscan conflicts pin {asked} price.input_mtok 1"
        )
    if session.as_json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    print_table(("since", "price", "$", "source", "said", "where"), (line for row in rows for line in _lines(row)))
    click.echo(f"\nDollars are per million tokens, but for request_usd. {_counted(len(rows))}, the one in force first.")
    click.echo(f"Correct one: modelscan conflicts pin {asked} price.input_mtok 1")


def _lines(version: PriceVersion) -> Iterator[tuple[Any, ...]]:
    """A line for each rate and for each tier; a single one where nothing is known."""
    since: str | None = f"{version.valid_from:%Y-%m-%d %H:%M}"
    said = version.tariff.model_dump(exclude_none=True, exclude={"tiers"})
    shown = [(field, f"{value:f}") for field, value in said.items()]
    shown += [("tiers", _tier(tier)) for tier in version.tariff.tiers]
    for field, text in shown or [("all", "unknown")]:
        one = version.evidence.get(field)
        when = f"{one.fetched_at:%Y-%m-%d}{' (snapshot)' if one.stale else ''}" if one else None
        yield since or "", field, text, one.source if one else None, when, one.url if one else None
        since = None


def _tier(tier: Tier) -> str:
    rates = tier.model_dump(exclude_none=True, exclude={"over"})
    told = ", ".join(f"{name.removesuffix('_mtok').replace('_', ' ')} {rate:f}" for name, rate in rates.items())
    return f">{tier.over:,}: {told or 'unknown'}"


def _counted(number: int) -> str:
    return f"{number} version{'' if number == 1 else 's'}"
