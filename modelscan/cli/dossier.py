"""`modelscan dossier` and `modelscan conflicts`: what is known, who says so, and who says otherwise."""

import json
from collections.abc import Iterable

import click

from modelscan.catalog import records
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import ProviderNotFound
from modelscan.synthesis.dossier import conflicts as conflicts_of
from modelscan.synthesis.dossier import known
from modelscan.types import Claim, Identifier, Known

__all__ = ["conflicts", "dossier"]


@click.command()
@click.argument("subject")
@json_option
@click.pass_obj
def dossier(session: Session, subject: str) -> None:
    """Show what is known of SUBJECT (a provider, or provider/model), which source says so, and which says otherwise."""
    asked = Identifier.parse(subject)
    found = tuple(one for one in known(_claims(session, asked.provider)) if one.subject == str(asked))
    if not found:
        raise ProviderNotFound(f"Nothing is known of {asked}.", hint=f"Add it: modelscan add {asked}")
    _show(session, found)


@click.command()
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def conflicts(session: Session, provider: str | None) -> None:
    """List the fields on which the sources disagree, of PROVIDER or of all: what counts here, and what others say."""
    found = conflicts_of(_claims(session, provider))
    if not found and not session.as_json:
        click.echo("The sources do not disagree on anything that is known.", err=True)
        return
    _show(session, found)


def _claims(session: Session, provider: str | None) -> tuple[Claim, ...]:
    database = catalogue_of(session)
    return records.claims(database, provider) if database else ()


def _show(session: Session, found: Iterable[Known]) -> None:
    if session.as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    titles = ("subject", "field", "value", "source", "when", "url", "agree", "others say")
    print_table(titles, (_cells(one) for one in found))


def _cells(one: Known) -> tuple[str | None, ...]:
    chosen = one.chosen
    when = f"{chosen.fetched_at:%Y-%m-%d}" + (" (snapshot)" if chosen.stale else "")
    others = "; ".join(f"{claim.source}: {_value(claim)}" for claim in one.differ)
    agree = ", ".join(one.agree)
    return one.subject, one.field, _value(chosen), chosen.source, when, chosen.url, agree or None, others or None


def _value(claim: Claim) -> str:
    return claim.value if isinstance(claim.value, str) else json.dumps(claim.value, ensure_ascii=False)
