"""The tasks of a run over the catalogue: ask a list, look at a provider, keep a batch."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from modelscan.catalog import listings, observations
from modelscan.drift.refresh import SourceShape, bad_refresh, source_event
from modelscan.errors import ModelScanError, SourceUnavailable
from modelscan.redaction import redact
from modelscan.rediscovery.asking import Asked, ask_itself
from modelscan.rediscovery.looking import Looked, listed_records, look, look_for_prices
from modelscan.rediscovery.settling import Settled, settle
from modelscan.sources.http import NOT_REACHED, open_client
from modelscan.sources.lists import LISTS, ListSource, ReadList
from modelscan.synthesis.settled import pins_record
from modelscan.types import DriftEvidence, DriftKind, Listing, Look, SourceRecord, utc_now
from tasks.catalogue import CatalogueWork
from tasks.drifting import tell
from tasks.logs import run_logger
from tasks.summarising import said_of

__all__ = ["ask_lists", "look_at_batch"]

_RETRIES = 1
_PROVIDER = "modelscan-source-provider"


def _is_transport_fault(_task: object, _run: object, state: State[Any]) -> bool:
    return NOT_REACHED in (state.message or "")


async def ask_lists(work: CatalogueWork) -> None:
    """Ask every list at once. One that cannot be asked, or looks broken, is that of last time, and the run goes on.

    Raises SourceUnavailable where there is nobody to look at.
    """
    await asyncio.gather(*(_ask(work, source) for source in LISTS))
    if not work.providers:
        raise SourceUnavailable(f"No list could be read, and nobody is served. {' '.join(work.faults.values())}")


async def _ask(work: CatalogueWork, source: ListSource) -> None:
    url = source.url(work.bench.settings.discovery)
    kept = await work.catalogue(listings.kept, source.name, url)
    before = await asyncio.to_thread(ReadList, source, kept) if kept else None
    try:
        work.lists[source.name] = await _named(ask_list, f"ask {source.name}")(work, source, before)
        return
    except ModelScanError as error:
        work.faults[source.name] = redact(error.message)
    if before:
        work.lists[source.name] = before
        run_logger().warning(
            "%s: its list of %s counts on.", source.name, f"{before.listing.checked_at:%Y-%m-%d %H:%M}"
        )


@task(
    name="ask a list",
    retries=_RETRIES,
    retry_delay_seconds=2,
    retry_condition_fn=_is_transport_fault,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def ask_list(work: CatalogueWork, source: ListSource, before: ReadList | None) -> ReadList:
    """The list as it is now, taken up. Raises SourceUnavailable and HostRefused, and where the list looks broken."""
    settings = work.bench.settings.discovery
    known = None if work.refresh or before is None else before.listing
    async with (
        work.turn(f"modelscan-source-{source.name}"),
        open_client(allowed_private=work.allowed_private(), timeout=settings.timeout_seconds) as http,
    ):
        listing = await source.ask(http, settings, known)
    if before and listing.sha256 == before.listing.sha256:
        before.listing = listing
        found = before
    else:
        found = await _read(work, source, listing, before)
    await work.catalogue(listings.keep, listing)
    run_logger().info("%s: %d providers, %s", source.name, len(found.providers), _how(listing))
    return found


async def _read(work: CatalogueWork, source: ListSource, listing: Listing, before: ReadList | None) -> ReadList:
    """Raises SourceUnavailable where it is no list of theirs, or is so much less than before that it is held."""
    try:
        found = await asyncio.to_thread(ReadList, source, listing)
    except ValueError as error:
        raise SourceUnavailable(f"{error}; it is not taken up.", url=listing.url) from error
    old = SourceShape.of(before.models()) if before else None
    new = SourceShape.of(found.models())
    why = bad_refresh(old, new, work.bench.settings.drift)
    if why is None:
        return found
    said = DriftEvidence(record=listing.sha256[:16], source=source.name, url=listing.url, fetched_at=listing.checked_at)
    event = source_event(source.name, old, new, why, evidence=(said,), found_at=utc_now(), run_id=work.found_by)
    (told,) = await tell(work.bench, (event,))
    if told.counts:
        return found
    raise SourceUnavailable(f"{source.name}'s list is {told.state}: {why}.", url=listing.url)


def _how(listing: Listing) -> str:
    return "which it says did not change" if listing.confirmed else f"{len(listing.body):,} bytes"


class Batch:
    """Some providers that are looked at at once. No dataclass: Prefect would walk through all that was found."""

    def __init__(self, number: int, before: Mapping[str, Look], looked: Sequence[Looked] = ()) -> None:
        self.number = number
        self.before = before
        self.looked = looked


async def look_at_batch(work: CatalogueWork, number: int, providers: Sequence[str]) -> tuple[Settled, ...]:
    """Look at some providers at once, tell what changed, and take it up in one transaction."""
    batch = Batch(number, await work.catalogue(observations.looks, providers))
    batch.looked = await asyncio.gather(*(_named(look_at, f"look at {one}")(work, batch, one) for one in providers))
    settled = await _keep(work, batch)
    work.settled += settled
    return settled


def _named(made: Any, name: str) -> Any:
    return made.with_options(task_run_name=name)


@task(name="look at a provider", cache_policy=NO_CACHE, persist_result=False)
async def look_at(work: CatalogueWork, batch: Batch, provider: str) -> Looked:
    """What its sources say now, against last time; whatever goes wrong with one is told of that one alone."""
    before = batch.before.get(provider)
    try:
        found = await asyncio.to_thread(listed_records, provider, work.lists.values())
        asked = await _ask_itself(work, provider, found)
        looked = await asyncio.to_thread(
            partial(
                look,
                provider,
                (*found, *asked.records),
                work.run,
                before,
                lists=work.lists,
                asked=asked.names,
                decisions=work.decisions_on(provider),
                found_by=work.found_by,
            )
        )
    except Exception as error:  # noqa: BLE001 - the edge of one provider: the others go on, and the summary tells
        why = error.message if isinstance(error, ModelScanError) else f"{type(error).__name__}: {error}"
        run_logger().warning("%s: %s", provider, redact(why))
        return Looked(provider, "failed", before=before, why=redact(why))
    for gap in asked.gaps:
        run_logger().info("%s: %s: %s", provider, gap.source, gap.reason)
    return look_for_prices(looked, _freely_changed(work)) if work.prices_only else looked


async def _ask_itself(work: CatalogueWork, provider: str, listed: Sequence[SourceRecord]) -> Asked:
    """A provider that is served is asked, too; nobody else is, and for prices nobody."""
    served = work.published.get(provider)
    if served is None or work.prices_only:
        return Asked()
    decided = work.decisions_on(provider)
    pins = pins_record(provider, decided)
    distrusted = [one.source for one in decided if one.source and (one.subject, one.field) == (provider, "base_url")]
    async with (
        work.turn(_PROVIDER),
        open_client(
            allowed_private=work.allowed_private(served), timeout=work.bench.settings.discovery.timeout_seconds
        ) as http,
    ):
        return await ask_itself(
            work.request(served, http),
            listed,
            latest=work.latest,
            pins=(pins,) if pins else (),
            distrusted=distrusted,
        )


def _freely_changed(work: CatalogueWork) -> tuple[DriftKind, ...]:
    """The kinds of changes that wait for nobody."""
    return tuple(kind for kind in DriftKind if getattr(work.bench.settings.drift, kind) != "hold")


async def _keep(work: CatalogueWork, batch: Batch) -> tuple[Settled, ...]:
    """Changes are told first: found twice, after a crash in between, they are the same ones."""
    events = [event for one in batch.looked for event in one.events]
    again = [one.after.state for one in batch.looked if one.after and one.before and one.before.pending]
    told = await tell(work.bench, events, again) if events or again else ()
    settled = await work.catalogue(settle, batch.looked, told, work.published, work.decided)
    run_logger().info("batch %d: %s", batch.number, said_of(settled))
    return settled
