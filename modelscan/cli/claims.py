"""What the catalogue knows, as the commands on dossiers and conflicts read and show it."""

import json

from modelscan.catalog import decisions, records
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.session import Session
from modelscan.types import Claim, Decision

__all__ = ["shown", "told"]

_WIDEST = 26
"""Of a value in a table, so that a dossier fits 80 columns; --json has all of it."""


def told(session: Session, provider: str | None) -> tuple[tuple[Claim, ...], tuple[Decision, ...]]:
    """What the sources claim of one provider or of all, and what the operator decided; nothing without a catalogue."""
    database = catalogue_of(session)
    if database is None:
        return (), ()
    return records.claims(database, provider), decisions.list_decisions(database, provider)


def shown(claim: Claim | Decision) -> str:
    """Its value in one short line; a list begins with how many there are."""
    value = claim.value
    if isinstance(value, list):
        value = f"{len(value)}: {', '.join(str(one) for one in value)}"
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    # It was scraped: nothing in it may steer a terminal.
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
