"""Takes up what a batch of looks found, in one transaction: records and facts, prices, what is to be proved anew.

What sources say is always kept, and shown as what they say. While a change is held, or was rejected, nothing is proved
anew by itself; a price that is held is no version (`modelscan.catalog.prices` sees to that).
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelscan.catalog import discoveries, observations, records
from modelscan.catalog.database import Connection, Database
from modelscan.catalog.listings import touch_records
from modelscan.catalog.prices import renew_in
from modelscan.drift.baseline import baseline
from modelscan.drift.policy import Effect, effects
from modelscan.rediscovery.looking import Looked
from modelscan.synthesis.evidence import Evidence, facts_of
from modelscan.synthesis.prices import stated_prices
from modelscan.types import (
    Decision,
    Discovery,
    DriftEvent,
    DriftKind,
    DriftState,
    Fact,
    Identifier,
    Look,
    Published,
    utc_now,
)

__all__ = ["Settled", "settle"]

_WITHHELD = (DriftState.HELD, DriftState.REJECTED)


@dataclass(frozen=True)
class Settled:
    """What became of one look."""

    looked: Looked
    events: tuple[DriftEvent, ...] = ()
    """As policies and the operator have them."""
    prices: int = 0
    """How many prices are new."""
    discovery: str | None = None
    """The id of the discovery that was queued to prove it anew."""
    waits: tuple[DriftEvent, ...] = ()
    """The changes that keep it from being proved anew."""


def settle(
    database: Database,
    looked: Sequence[Looked],
    told: Iterable[DriftEvent],
    published: Mapping[str, Published],
    decided: Iterable[Decision] = (),
) -> tuple[Settled, ...]:
    """Take a batch up; `told` are its events as policies have them. All of it is in the catalogue, or nothing."""
    by_provider: dict[str, list[DriftEvent]] = defaultdict(list)
    for event in told:
        by_provider[event.provider].append(event)
    pins = {(one.subject, one.field) for one in decided if one.kind == "pin"}
    with database.write() as connection:
        known = observations.known_to_the_catalogue(connection, [one.provider for one in looked])
        taking = _Taking(connection, known, published, pins)
        settled = [taking.up(one, by_provider[one.provider]) for one in looked]
        _confirm(connection, looked)
        observations.forget(connection, [one.provider for one in looked if one.outcome == "gone"])
        observations.save_looks(connection, [_look(one, one.looked.after) for one in settled if one.looked.after])
    return tuple(settled)


@dataclass(frozen=True)
class _Taking:
    """One transaction, and what decides in it."""

    connection: Connection
    known: Collection[str]
    """Who has a row or facts in the catalogue: facts and prices are kept of them alone, records of all."""
    published: Mapping[str, Published]
    pins: Collection[tuple[str, str]]
    """What the operator pinned, by subject and field: whatever is said there changes nothing."""

    def up(self, looked: Looked, events: Sequence[DriftEvent]) -> Settled:
        if looked.outcome != "changed":
            return Settled(looked, tuple(events))
        is_known = looked.provider in self.known
        records.save_in(self.connection, looked.records, _facts(looked) if is_known else ())
        fresh = renew_in(self.connection, looked.provider, stated_prices) if is_known else ()
        waits = tuple(event for event in events if self._is_in_the_way(event))
        # That a list has, or has no longer, somebody who is served says nothing of the client.
        of_client = [event for event in events if event.model or event.kind is not DriftKind.MODELS]
        anew = effects(of_client).get(looked.provider) is Effect.DISCOVERY and not waits
        queued = _queue(self.connection, self.published.get(looked.provider)) if anew else None
        return Settled(looked, tuple(events), len(fresh), queued, waits)

    def _is_in_the_way(self, event: DriftEvent) -> bool:
        pinned = (event.subject, event.field) in self.pins
        return event.state in _WITHHELD and event.kind is not DriftKind.PRICE and not pinned


def _look(settled: Settled, after: Look) -> Look:
    """What the next one is compared with: what counts, so that what is held is found again until it was judged."""
    before = settled.looked.before
    state = baseline(before.state if before else None, after.state, settled.events) or after.state
    pending = any(event.state in _WITHHELD for event in settled.events)
    return after.model_copy(update={"state": state, "pending": pending})


def _confirm(connection: Connection, looked: Iterable[Looked]) -> None:
    """What the sources said again counts as said now; one statement for each list."""
    again: dict[tuple[datetime, str], list[str]] = defaultdict(list)
    for record in (record for one in looked if one.outcome == "unchanged" for record in one.records):
        again[record.fetched_at, record.sha256].append(record.id)
    for (at, sha256), ids in again.items():
        touch_records(connection, ids, at, sha256)


def _facts(looked: Looked) -> tuple[Fact, ...]:
    return facts_of(Evidence(identifier=Identifier(provider=looked.provider), records=looked.records))


def _queue(connection: Connection, served: Published | None) -> str | None:
    """Have a published provider proved anew, unless that is under way; returns the discovery's id."""
    if served is None:
        return None
    under_way = discoveries.selected(
        connection, "identifier = ? AND state IN ('queued', 'running')", [served.identifier]
    )
    if under_way:
        return under_way[0].id
    queued = Discovery(
        id=uuid.uuid4().hex, identifier=served.identifier, base_url=served.base_url, created_at=utc_now()
    )
    discoveries.create_in(connection, queued)
    return queued.id
