"""Compares two looks at a provider; pure, and exact to the value."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from pydantic import AwareDatetime

from modelscan.types import DriftEvent, DriftEvidence, DriftKind, ModelState, Observed, ProviderState, utc_now

__all__ = ["LISTED", "differences", "same"]

LISTED = "listed"
"""The value of a model, or a provider, that is there."""


class _Said(NamedTuple):
    """A value, and the record that says it; None is not there, or unknown."""

    value: str | None
    record: str | None


class _Pair(NamedTuple):
    kind: DriftKind
    model: str | None
    field: str
    before: _Said
    after: _Said


def differences(
    before: ProviderState | None,
    after: ProviderState | None,
    *,
    said: DriftEvidence | None = None,
    found_at: AwareDatetime | None = None,
    run_id: str | None = None,
) -> tuple[DriftEvent, ...]:
    """What changed from one look to the next, by field and model; all of it held, since no policy was asked yet.

    A provider that came or went is one event, and so is each model: their fields are no changes of their own. `said` is
    the record that lists the provider no longer, where `after` is None. `found_at` is now unless given.
    """
    there = after or before
    if there is None:
        return ()
    when = found_at or utc_now()
    records = {**(before.evidence if before else {}), **(after.evidence if after else {})}
    if said:
        records[said.record] = said
    return tuple(
        DriftEvent.of(
            pair.kind,
            there.provider,
            pair.field,
            pair.before.value,
            pair.after.value,
            model=pair.model,
            evidence=_evidence(records, pair),
            found_at=when,
            run_id=run_id,
        )
        for pair in _pairs(before, after, said)
        if not same(pair.before.value, pair.after.value)
    )


def _pairs(before: ProviderState | None, after: ProviderState | None, said: DriftEvidence | None) -> Iterator[_Pair]:
    if before is None or after is None:
        gone = said.record if said else None
        yield _Pair(DriftKind.MODELS, None, "models", _listed(before, None), _listed(after, gone))
        return
    for kind in (DriftKind.BASE_URL, DriftKind.AUTH, DriftKind.PROTOCOL):
        told = (_said(getattr(state, kind), state.record) for state in (before, after))
        yield _Pair(kind, None, str(kind), *told)
    for model in sorted({*before.models, *after.models}):
        old, new = before.models.get(model), after.models.get(model)
        if old and new:
            yield from _of_model(model, old, new)
        else:
            yield _Pair(DriftKind.MODELS, model, "models", _listed(old, before.record), _listed(new, after.record))


def _of_model(model: str, before: ModelState, after: ModelState) -> Iterator[_Pair]:
    for name in sorted({*before.limits, *after.limits}):
        told = (_said(state.limits.get(name), state.record) for state in (before, after))
        yield _Pair(DriftKind.LIMIT, model, name, *told)
    for name in sorted({*before.prices, *after.prices}):
        told = (_said(state.prices.get(name), state.record) for state in (before, after))
        yield _Pair(DriftKind.PRICE, model, f"price.{name}", *told)


def _said(observed: Observed | None, silent: str) -> _Said:
    """`silent` is the record that says nothing of it."""
    return _Said(observed.value, observed.record) if observed else _Said(None, silent)


def _listed(state: ProviderState | ModelState | None, silent: str | None) -> _Said:
    return _Said(LISTED, state.record) if state else _Said(None, silent)


def _evidence(records: Mapping[str, DriftEvidence], pair: _Pair) -> tuple[DriftEvidence, ...]:
    named = dict.fromkeys(said.record for said in (pair.after, pair.before) if said.record in records)
    return tuple(records[record] for record in named if record)


def same(before: str | None, after: str | None) -> bool:
    """Whether two texts mean the same: 0.10 is 0.1."""
    if before is None or after is None or before == after:
        return before == after
    try:
        return Decimal(before) == Decimal(after)
    except InvalidOperation:
        return False
