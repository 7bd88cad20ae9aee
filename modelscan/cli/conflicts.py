"""`modelscan conflicts`: what the sources disagree on, and the operator's decisions, which are the last word."""

from collections.abc import Callable
from typing import Any

import click

from modelscan.cli.access import service_of
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.claims import shown, told
from modelscan.cli.display import print_json, print_rows
from modelscan.cli.session import Session, json_option
from modelscan.errors import DecisionNotFound, ModelScanError, NotFound, ServiceUnavailable
from modelscan.synthesis.decisions import decide
from modelscan.synthesis.decisions import undo as undo_decision
from modelscan.synthesis.dossier import PRICES
from modelscan.synthesis.dossier import conflicts as conflicts_of
from modelscan.types import Decision, DecisionKind, Identifier, Known

__all__ = ["conflicts"]

_WORDS = {
    "accept": "{subject} {field}: {value} is accepted. It is listed again once a source says something else.",
    "pin": "{subject} {field} is {value} from the next discovery on, whatever the sources say.",
    "reject": "{subject} {field}: what {source} says is not used from the next discovery on.",
}
_WORDS_OF_PRICES = {
    "pin": "{subject} {field} is {value} for what requests cost from now on, whatever the sources say.",
    "reject": "{subject} {field}: what {source} says is not used for what requests cost from now on.",
}


@click.group(invoke_without_command=True)
@click.option("--provider", help="Only of this provider.")
@click.option("--all", "settled", is_flag=True, help="Also those that were decided.")
@json_option
@click.pass_context
def conflicts(context: click.Context, provider: str | None, settled: bool) -> None:
    """List the fields on which the sources disagree (what counts here, what others say), or decide one."""
    if context.invoked_subcommand:
        return
    session: Session = context.obj
    columns: dict[str, Callable[[Known], Any]] = {
        "subject": lambda row: row.subject,
        "field": lambda row: row.field,
        "value": lambda row: shown(row.chosen) if row.chosen else "unknown",
        "source": lambda row: row.chosen.source if row.chosen else None,
        "others say": lambda row: "; ".join(f"{claim.source}: {shown(claim)}" for claim in row.differ) or None,
    }
    if settled:
        columns["decided"] = lambda row: row.settled or ("rejected" if row.rejected else None)
    found = conflicts_of(*told(session, provider), settled=settled)
    print_rows(session, found, columns, empty="The sources do not disagree on anything that is known and undecided.")


@conflicts.command("accept")
@click.argument("subject")
@click.argument("field")
@json_option
@click.pass_obj
def accept(session: Session, subject: str, field: str) -> None:
    """What counts of FIELD of SUBJECT is right: do not list it until a source says something else."""
    _decide(session, "accept", subject, field)


@conflicts.command("pin")
@click.argument("subject")
@click.argument("field")
@click.argument("value")
@json_option
@click.pass_obj
def pin(session: Session, subject: str, field: str, value: str) -> None:
    """VALUE counts for FIELD of SUBJECT, whatever the sources say."""
    _decide(session, "pin", subject, field, value)


@conflicts.command("reject")
@click.argument("subject")
@click.argument("field")
@click.argument("source")
@json_option
@click.pass_obj
def reject(session: Session, subject: str, field: str, source: str) -> None:
    """Do not use what SOURCE says of FIELD of SUBJECT."""
    _decide(session, "reject", subject, field, source)


@conflicts.command("undo")
@click.argument("decision")
@json_option
@click.pass_obj
def undo(session: Session, decision: str) -> None:
    """Take a DECISION back, by its id."""
    database = catalogue_of(session)
    if database is None:
        raise DecisionNotFound(f"There is no decision {decision!r}.", hint="Nothing was decided yet.")
    undone = undo_decision(database, decision)
    _have_it_count(session, undone)
    if session.as_json:
        print_json(undone.model_dump(mode="json"))
    else:
        click.echo(f"{undone.subject} {undone.field}: the decision to {undone.kind} is undone.")


@conflicts.command("decisions")
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def list_decisions(session: Session, provider: str | None) -> None:
    """List what was decided, on PROVIDER or on all."""
    columns: dict[str, Callable[[Decision], Any]] = {
        "id": lambda row: row.id,
        "decided": lambda row: row.kind,
        "subject": lambda row: row.subject,
        "field": lambda row: row.field,
        "value": lambda row: None if row.value is None else shown(row),
        "source": lambda row: row.source,
        "when": lambda row: f"{row.at:%Y-%m-%d %H:%M}",
    }
    print_rows(session, told(session, provider)[1], columns, empty="Nothing was decided yet.")


def _have_it_count(session: Session, decision: Decision) -> None:
    """Have a running service reckon with the price that was decided; one that is down reads it at its start."""
    if decision.field not in PRICES:
        return
    try:
        service_of(session).post("/api/reload", {})
    except ServiceUnavailable:
        return
    except ModelScanError as error:
        click.secho(f"Warning: the service was not told ({error.message}); it counts from its next start.", err=True)


def _decide(session: Session, kind: DecisionKind, subject: str, field: str, given: str = "") -> None:
    asked = Identifier.parse(subject)
    database = catalogue_of(session)
    if database is None:
        raise NotFound(f"Nothing is known of {asked}.", hint=f"Add it first: modelscan add {asked}")
    made = decide(database, kind, subject, field, given)
    _have_it_count(session, made)
    if session.as_json:
        print_json(made.model_dump(mode="json"))
        return
    words = {"subject": made.subject, "field": made.field, "value": shown(made), "source": made.source}
    of_price = made.field in PRICES and kind != "accept"
    click.echo((_WORDS_OF_PRICES if of_price else _WORDS)[kind].format(**words))
    if of_price:
        click.echo("What was used before keeps its cost; see the difference: modelscan usage reprice")
    if kind != "accept":
        click.echo(f"Discover it now: modelscan add {made.subject}")
    click.echo(f"Undo it: modelscan conflicts undo {made.id}")
