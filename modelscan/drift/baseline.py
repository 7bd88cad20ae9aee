"""What the next look is compared with: the newest one, but for what must not take effect; pure."""

from collections.abc import Iterable, Mapping
from itertools import chain

from modelscan.drift.comparing import LISTED, same
from modelscan.types import DriftEvent, DriftEvidence, DriftKind, DriftState, ModelState, Observed, ProviderState
from modelscan.types.drift import as_kept

__all__ = ["baseline", "moot"]

_WITHHELD = (DriftState.HELD, DriftState.REJECTED)


def baseline(
    before: ProviderState | None, after: ProviderState | None, events: Iterable[DriftEvent]
) -> ProviderState | None:
    """`after`, with the values of `before` in the place of each change that is held or was rejected.

    `events` are those that were found between the two, in the states that they were stored in. So a change that waits
    is found again by each look, against what counts, and is the same change each time.
    """
    withheld = [event for event in events if event.state in _WITHHELD and _is_compared(event)]
    if any(event.kind is DriftKind.MODELS and event.model is None for event in withheld):
        return before
    if before is None or after is None:
        return after
    state = after
    for event in withheld:
        state = _put_back(state, before, event)
    return _with_evidence(state, {**before.evidence, **after.evidence}) if withheld else after


def moot(held: Iterable[DriftEvent], after: ProviderState) -> tuple[DriftEvent, ...]:
    """Of the events that are held those whose new value `after` does not say any more."""
    own = (event for event in held if event.provider == after.provider and event.state is DriftState.HELD)
    return tuple(event for event in own if _is_compared(event) and not same(as_kept(_said(after, event)), event.after))


def _is_compared(event: DriftEvent) -> bool:
    return event.kind not in (DriftKind.BEHAVIOUR, DriftKind.SOURCE)


def _put_back(state: ProviderState, before: ProviderState, event: DriftEvent) -> ProviderState:
    model = event.model
    if model is None:
        return state.model_copy(update={event.field: getattr(before, event.field)})
    old, new = before.models.get(model), state.models.get(model)
    if event.kind is not DriftKind.MODELS and old and new:
        old = _with_value(old, new, event)
    models = {**state.models, model: old} if old else {id_: one for id_, one in state.models.items() if id_ != model}
    return state.model_copy(update={"models": models})


def _with_value(old: ModelState, new: ModelState, event: DriftEvent) -> ModelState:
    """`new` with the old value of that one price or limit."""
    part, name = _place(event)
    values: Mapping[str, Observed] = getattr(new, part)
    kept: Mapping[str, Observed] = getattr(old, part)
    rest = {one: value for one, value in values.items() if one != name}
    return new.model_copy(update={part: {**rest, **({name: kept[name]} if name in kept else {})}})


def _place(event: DriftEvent) -> tuple[str, str]:
    is_price = event.kind is DriftKind.PRICE
    return ("prices", event.field.removeprefix("price.")) if is_price else ("limits", event.field)


def _said(state: ProviderState, event: DriftEvent) -> str | None:
    if event.kind is DriftKind.MODELS:
        return LISTED if event.model is None or event.model in state.models else None
    told: Observed | None
    if event.model is None:
        told = getattr(state, event.field)
    else:
        part, name = _place(event)
        told = getattr(state.models.get(event.model), part, {}).get(name)
    return told.value if told else None


def _with_evidence(state: ProviderState, records: Mapping[str, DriftEvidence]) -> ProviderState:
    """With the records that it still rests on, and no other: it is kept for years."""
    of_models = ((one.record, *_records(one.prices, one.limits)) for one in state.models.values())
    told = (one.record for one in (state.base_url, state.auth, state.protocol) if one)
    used = {state.record, *told, *chain.from_iterable(of_models)}
    return state.model_copy(update={"evidence": {id_: one for id_, one in records.items() if id_ in used}})


def _records(*values: Mapping[str, Observed]) -> Iterable[str]:
    return (one.record for part in values for one in part.values())
