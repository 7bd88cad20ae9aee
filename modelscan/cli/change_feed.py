"""`modelscan changes --follow`: each change as it is found or judged, straight from the catalogue."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import click

from modelscan.catalog import drift
from modelscan.catalog.database import Database
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.session import Session
from modelscan.drift.asking import ChangesAsked
from modelscan.types import DriftEvent
from modelscan.visible import visible

__all__ = ["follow"]

_EVERY_SECONDS = 1.0


def follow(
    session: Session,
    asked: ChangesAsked,
    known: Sequence[DriftEvent],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Print those that are `known`, oldest first, then each line of the feed that is asked for, until Ctrl-C.

    It needs no service; the catalogue is looked at each second, and read where its file changed.
    """
    database = catalogue_of(session)
    seen = drift.last_line(database) if database else 0
    for event in known:
        _print(session, event)
    stamp: object = None
    with suppress(KeyboardInterrupt):
        while True:
            database = database or catalogue_of(session)
            if database and stamp != (stamp := database.stamp()):
                seen = _told(session, database, asked, seen)
            wait(_EVERY_SECONDS)


def _told(session: Session, database: Database, asked: ChangesAsked, seen: int) -> int:
    """Print what is behind line `seen`; the number of the last line."""
    while lines := drift.feed(database, seen):
        for line in lines:
            if asked.matches(line.event):
                _print(session, line.event)
        seen = lines[-1].seq
    return seen


def _print(session: Session, event: DriftEvent) -> None:
    if session.as_json:
        click.echo(json.dumps(event.model_dump(mode="json")))
        return
    values = " → ".join("-" if value is None else value for value in (event.before, event.after))
    line = f"{event.found_at:%Y-%m-%d %H:%M}  {event.kind}  {event.subject}  {event.field}  {values}"
    click.echo(visible(f"{line}  {event.source}  {event.state}  {event.id}"))
