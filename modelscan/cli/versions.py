"""`modelscan versions`: which versions of clients there are, which one is served or tried, and what led to that."""

from collections.abc import Sequence
from typing import Any

import click

from modelscan.catalog import canaries
from modelscan.catalog.database import Database
from modelscan.catalog.history import history
from modelscan.cli.catalogue import NOTHING_YET, read_rows
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.synthesis.telling import told_versions
from modelscan.types import Activation, CanaryCounts, Change, KnownVersion

__all__ = ["versions"]

_SHOWN_CHANGES = 3
_TITLES = ("provider", "version", "state", "level", "published", "discovery")


@click.command()
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def versions(session: Session, provider: str | None) -> None:
    """List the versions of all clients, or of PROVIDER with what each changed, and who had which one served."""
    rows = read_rows(session, lambda database: told_versions(database, provider))
    steps = read_rows(session, lambda database: history(database, provider)) if provider else ()
    if session.as_json:
        told = [one.model_dump(mode="json") for one in rows]
        print_json({"versions": told, "history": [one.model_dump(mode="json") for one in steps]} if provider else told)
    elif not rows:
        nothing = f"No client of {provider} is published. Try: modelscan add {provider}" if provider else NOTHING_YET
        click.echo(nothing, err=True)
    elif provider is None:
        print_table(_TITLES, (_cells(row) for row in rows))
    else:
        print_table((*_TITLES, "changed"), ((*_cells(row), _changed(row.changes)) for row in rows))
        _print_steps(steps)
        for line in read_rows(session, lambda database: _trials(database, provider)):
            click.echo(line)


def _cells(row: KnownVersion) -> tuple[Any, ...]:
    version = row.version
    published = f"{version.published_at:%Y-%m-%d %H:%M:%S}"
    return version.provider, version.version, row.state, version.level, published, version.discovery_id


def _changed(changes: Sequence[Change]) -> str | None:
    shown = [f"{one.field}: {one.before} → {one.after}" for one in changes[:_SHOWN_CHANGES]]
    more = len(changes) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown) or None


def _print_steps(steps: Sequence[Activation]) -> None:
    if steps:
        click.echo()
        titles = ("when", "what", "version", "before", "by", "generation", "why")
        print_table(
            titles,
            (
                (f"{one.at:%Y-%m-%d %H:%M:%S}", one.kind, one.version, one.before, one.actor, one.generation, one.why)
                for one in steps
            ),
        )


def _trials(database: Database, provider: str) -> tuple[str, ...]:
    """How the trial of the provider stands, in a sentence."""
    running = [one for one in canaries.canaries(database) if one.provider == provider]
    return tuple(
        f"\nVersion {one.version} is asked first by {one.share:.1%} of the requests since {one.started_at:%H:%M:%S}: "
        f"{_words(seen)} It is promoted after {one.requests} requests and {one.minutes:g} minutes."
        for one, seen in zip(running, canaries.counts(database, running), strict=True)
    )


def _words(seen: CanaryCounts) -> str:
    canary, base = seen.canary, seen.base
    return f"{canary.errors} of {canary.requests} failed, and {base.errors} of {base.requests} of those before it."
