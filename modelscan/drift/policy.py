"""What becomes of changes by the operator's rules, and what is to be done for those that count; pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

from modelscan.settings import DriftPolicy, DriftSettings
from modelscan.types import DriftEvent, DriftKind, DriftState

__all__ = ["Effect", "by_policy", "effects"]

_STATES: Mapping[DriftPolicy, DriftState] = {
    "apply": DriftState.APPLIED,
    "hold": DriftState.HELD,
    "ignore": DriftState.IGNORED,
}


class Effect(IntEnum):
    """What a change that counts asks for; the higher includes the lower."""

    NOTHING = 0
    PRICES = 1
    """New price versions: `synthesis.prices.renew_prices`. No client is made anew for them."""
    DISCOVERY = 2
    """Where a client is published, it is to be proved anew before it is served."""


def by_policy(events: Iterable[DriftEvent], settings: DriftSettings) -> tuple[DriftEvent, ...]:
    """The events in the states that the policies of their kinds give."""
    return tuple(event.model_copy(update={"state": _STATES[_policy(event.kind, settings)]}) for event in events)


def _policy(kind: DriftKind, settings: DriftSettings) -> DriftPolicy:
    policy: DriftPolicy = getattr(settings, kind)
    return policy


def effects(events: Sequence[DriftEvent]) -> dict[str, Effect]:
    """Provider -> what is to be done for it, of all of its events that count; providers without any are left out."""
    found: dict[str, Effect] = {}
    for event in events:
        if (effect := _effect(event)) is not Effect.NOTHING:
            found[event.provider] = max(effect, found.get(event.provider, effect))
    return found


def _effect(event: DriftEvent) -> Effect:
    if not event.counts or event.kind is DriftKind.SOURCE:
        return Effect.NOTHING
    return Effect.PRICES if event.kind is DriftKind.PRICE else Effect.DISCOVERY
