"""`modelscan dossier`: what is known of a provider or a model, who says so, and who says otherwise."""

from collections.abc import Iterable, Iterator, Sequence

import click

from modelscan.cli.claims import shown, told
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import ProviderNotFound
from modelscan.synthesis.dossier import dossier_of
from modelscan.types import Claim, Dossier, Identifier, Known, ModelSummary

__all__ = ["dossier"]


@click.command()
@click.argument("subject")
@json_option
@click.pass_obj
def dossier(session: Session, subject: str) -> None:
    """Show what is known of SUBJECT (a provider, or provider/model), which source says so, and which says otherwise."""
    asked = Identifier.parse(subject)
    found = dossier_of(asked, *told(session, asked.provider))
    if not found.fields and not found.models:
        raise ProviderNotFound(f"Nothing is known of {asked}.", hint=f"Add it: modelscan add {asked}")
    if session.as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_table(("field", "value", "source"), _rows(found))
    disputed = sum(1 for one in found.fields if one.open)
    click.echo(
        f"\n{_counted(len(found.fields), 'field')} known, {_counted(disputed, 'conflict')} (marked !; * was decided)."
    )
    _show_models(found)
    click.echo("\nWho says so:")
    print_table(("source", "when", "where"), _sources(found.fields))


def _rows(found: Dossier) -> Iterator[tuple[str, str, str | None]]:
    """One line a field; below it, where there is a conflict, one line for each that says otherwise."""
    for one in found.fields:
        mark = "!" if one.open else "*" if one.settled or one.rejected else " "
        if one.chosen:
            yield f"{mark} {one.field}", shown(one.chosen), ", ".join((one.chosen.source, *one.agree))
        else:
            yield f"{mark} {one.field}", "unknown", None
        yield from (("  or", shown(claim), claim.source) for claim in one.differ)
        yield from (("  rejected", shown(claim), claim.source) for claim in one.rejected)
    said = {one.field for one in found.fields}
    yield from ((f"  {field}", "unknown", None) for field in found.unknown if field not in said)


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
    claims = (claim for one in fields for claim in (one.chosen, *one.differ, *one.rejected) if claim)
    said = {claim.record: (claim.source, _when(claim), claim.url) for claim in claims}
    return sorted(said.values())


def _when(claim: Claim) -> str:
    return f"{claim.fetched_at:%Y-%m-%d}" + (" (snapshot)" if claim.stale else "")
