"""`modelscan dossier` and `modelscan conflicts`: what is known, who says so, and who says otherwise."""

import json
from collections.abc import Iterable, Iterator, Sequence

import click

from modelscan.catalog import records
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import ProviderNotFound
from modelscan.synthesis.dossier import conflicts as conflicts_of
from modelscan.synthesis.dossier import dossier_of
from modelscan.types import Claim, Dossier, Identifier, Known, ModelSummary

__all__ = ["conflicts", "dossier"]

_WIDEST = 26
"""Of a value in a table, so that a dossier fits 80 columns; --json has all of it."""
_OTHERWISE = "  or"
"""In place of the field's name: somebody says otherwise."""


@click.command()
@click.argument("subject")
@json_option
@click.pass_obj
def dossier(session: Session, subject: str) -> None:
    """Show what is known of SUBJECT (a provider, or provider/model), which source says so, and which says otherwise."""
    asked = Identifier.parse(subject)
    found = dossier_of(asked, _claims(session, asked.provider))
    if not found.fields and not found.models:
        raise ProviderNotFound(f"Nothing is known of {asked}.", hint=f"Add it: modelscan add {asked}")
    if session.as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_table(("field", "value", "source"), _rows(found))
    disputed = sum(1 for one in found.fields if one.differ)
    click.echo(f"\n{_counted(len(found.fields), 'field')} known, {_counted(disputed, 'conflict')} (marked !).")
    _show_models(found)
    click.echo("\nWho says so:")
    print_table(("source", "when", "where"), _sources(found.fields))


@click.command()
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def conflicts(session: Session, provider: str | None) -> None:
    """List the fields on which the sources disagree, of PROVIDER or of all: what counts here, and what others say."""
    found = conflicts_of(_claims(session, provider))
    if session.as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif not found:
        click.echo("The sources do not disagree on anything that is known.", err=True)
    else:
        titles = ("subject", "field", "value", "source", "others say")
        print_table(titles, ((one.subject, one.field, *_said(one.chosen), _others(one)) for one in found))


def _claims(session: Session, provider: str | None) -> tuple[Claim, ...]:
    database = catalogue_of(session)
    return records.claims(database, provider) if database else ()


def _rows(found: Dossier) -> Iterator[tuple[str, str, str | None]]:
    """One line a field; below it, where there is a conflict, one line for each that says otherwise."""
    for one in found.fields:
        value, source = _said(one.chosen)
        yield f"{'!' if one.differ else ' '} {one.field}", value, ", ".join((source, *one.agree))
        yield from ((_OTHERWISE, *_said(claim)) for claim in one.differ)
    for field in found.unknown:
        yield f"  {field}", "unknown", None


def _show_models(found: Dossier) -> None:
    if not found.models:
        return
    disputed = [one for one in found.models if one.conflicts]
    unpriced = [one for one in found.models if "price.input_mtok" in one.unknown]
    said = f"\n{_counted(len(found.models), 'model')} known; with conflicts: {_names(disputed)}"
    click.echo(f"{said}; of unknown price: {_names(unpriced)}.")
    click.echo(f"One of them: modelscan dossier {found.subject}/{(disputed or found.models)[0].model}")


def _names(models: Sequence[ModelSummary]) -> str:
    shown = ", ".join(one.model for one in models[:3])
    return f"{len(models)}" + (f" ({shown}{', …' if len(models) > 3 else ''})" if models else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sources(fields: Iterable[Known]) -> list[tuple[str, str, str]]:
    claims = (claim for one in fields for claim in (one.chosen, *one.differ))
    said = {claim.record: (claim.source, _when(claim), claim.url) for claim in claims}
    return sorted(said.values())


def _said(claim: Claim) -> tuple[str, str]:
    return _value(claim), claim.source


def _others(one: Known) -> str:
    return "; ".join(f"{claim.source}: {_value(claim)}" for claim in one.differ)


def _when(claim: Claim) -> str:
    return f"{claim.fetched_at:%Y-%m-%d}" + (" (snapshot)" if claim.stale else "")


def _value(claim: Claim) -> str:
    """In one short line; a list begins with how many there are."""
    value = claim.value
    if isinstance(value, list):
        value = f"{len(value)}: {', '.join(str(one) for one in value)}"
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    # It was scraped: nothing in it may steer a terminal.
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
