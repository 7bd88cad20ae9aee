"""One look at one provider: what its records say now, against what was last seen of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from modelscan.drift.comparing import differences
from modelscan.errors import SourceUnavailable
from modelscan.rediscovery.observing import inputs_of, resting_on, state_of
from modelscan.sources.builtin import record_of
from modelscan.sources.lists import LISTS, ReadList
from modelscan.types import (
    CatalogueRun,
    Decision,
    DriftEvent,
    DriftEvidence,
    DriftKind,
    Look,
    ProviderState,
    SourceGap,
    SourceRecord,
    utc_now,
)

__all__ = ["Looked", "listed_records", "look", "look_for_prices"]


_LISTS = frozenset(source.name for source in LISTS)
Outcome = Literal["changed", "unchanged", "gone", "left", "failed"]
"""`left` to a later run: by one that sees to prices alone, or because its list is not there."""


@dataclass(frozen=True)
class Looked:
    """What came of it."""

    provider: str
    outcome: Outcome
    records: tuple[SourceRecord, ...] = ()
    """What the lists say, and who else was asked."""
    before: Look | None = None
    after: Look | None = None
    """None where there is nothing to keep."""
    events: tuple[DriftEvent, ...] = ()
    """What changed, before any policy was asked."""
    why: str = ""
    """Why it failed or was left."""


def listed_records(provider: str, lists: Iterable[ReadList]) -> tuple[SourceRecord, ...]:
    """What the lists say of a provider. Raises SourceUnavailable where one of them has it in no readable form."""
    found = [one.record(provider) for one in lists]
    for gap in found:
        if isinstance(gap, SourceGap):
            raise SourceUnavailable(gap.reason)
    return tuple(one for one in found if isinstance(one, SourceRecord))


def look(
    provider: str,
    records: Sequence[SourceRecord],
    run: CatalogueRun,
    before: Look | None,
    *,
    lists: Mapping[str, ReadList],
    asked: Collection[str] = (),
    decisions: Collection[Decision] = (),
    found_by: str | None = None,
) -> Looked:
    """Compare what the records say with what was last seen.

    `asked`: who else than the lists was asked, by name. `found_by`: Prefect's id of the run.
    """
    told = (*records, *filter(None, (record_of(provider),)))
    if not records:
        return _unlisted(provider, before, lists, found_by)
    inputs, sources = inputs_of(told, decisions), tuple(sorted({*lists, *asked}))
    if before and before.inputs == inputs and before.sources == sources and not before.pending:
        after = before.model_copy(update={"observed_at": utc_now(), "run_id": run.id})
        return Looked(provider, "unchanged", told, before, after)
    after = Look(
        provider=provider,
        inputs=inputs,
        sources=sources,
        state=state_of(provider, told, decisions),
        observed_at=utc_now(),
        run_id=run.id,
    )
    return Looked(provider, "changed", told, before, after, _events(before, after, run, lists, found_by))


def _events(
    before: Look | None, after: Look, run: CatalogueRun, lists: Mapping[str, ReadList], found_by: str | None
) -> tuple[DriftEvent, ...]:
    """What changed, as far as the same sources were heard both times: one that was not there before is no change."""
    if before is None:
        new = any(after.provider in one.providers for name, one in lists.items() if name in run.heard)
        return differences(None, after.state, run_id=found_by) if new else ()
    if set(before.sources) & _LISTS != set(after.sources) & _LISTS:
        return ()
    found = differences(before.state, after.state, run_id=found_by)
    return tuple(one for one in found if before.sources == after.sources or one.kind is not DriftKind.MODELS)


def _unlisted(provider: str, before: Look | None, lists: Mapping[str, ReadList], found_by: str | None) -> Looked:
    """A provider is gone where a list that had it has it no longer; the list itself is the evidence."""
    if before is None:
        return Looked(provider, "unchanged")
    had = {one.source for one in before.state.evidence.values()}
    silent = [one.listing for name, one in lists.items() if name in had]
    if not silent:
        return Looked(provider, "left", before=before, why=f"{' and '.join(sorted(had))} could not be asked")
    record, listing = silent[0].sha256[:16], silent[0]
    said = DriftEvidence(record=record, source=listing.source, url=listing.url, fetched_at=listing.checked_at)
    return Looked(provider, "gone", before=before, events=differences(before.state, None, said=said, run_id=found_by))


def look_for_prices(looked: Looked, allowed: Collection[DriftKind]) -> Looked:
    """As much of a look as prices are: all else is told by the next run over the whole catalogue.

    A provider of which something else changed is left to that run, unless `allowed` (kinds of changes that need
    nobody's word) has all of it.
    """
    was, after = looked.before, looked.after
    if looked.outcome == "left":
        return looked
    if was is None and after:  # Never looked at: its prices count, and there is nothing to compare them with.
        return replace(looked, after=None, events=())
    others = {event.kind for event in looked.events} - {DriftKind.PRICE, *allowed}
    if was is None or after is None or others or was.pending:
        why = f"its {', '.join(sorted(others)).replace('_', ' ')} changed" if others else "a change of it is held"
        return replace(looked, outcome="left" if others or after else "unchanged", after=None, events=(), why=why)
    prices = tuple(event for event in looked.events if event.kind is DriftKind.PRICE)
    return replace(looked, after=was.model_copy(update={"state": _with_prices(was, after)}), events=prices)


def _with_prices(was: Look, now: Look) -> ProviderState:
    """What was seen before, with the prices of now; `inputs` stay, so that the rest is looked at anew."""
    models = {
        name: model.model_copy(update={"prices": now.state.models[name].prices}) if name in now.state.models else model
        for name, model in was.state.models.items()
    }
    state = was.state.model_copy(update={"models": models})
    return resting_on(state, {**was.state.evidence, **now.state.evidence})
