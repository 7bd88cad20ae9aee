"""Which changes that must not take effect a candidate would bring; pure."""

from collections.abc import Iterable

from modelscan.types import ClientSpec, DriftEvent, DriftKind, Model

__all__ = ["blocked"]


def blocked(before: ClientSpec | None, after: ClientSpec, withheld: Iterable[DriftEvent]) -> tuple[DriftEvent, ...]:
    """Of the provider's changes that are held or rejected those that `after` would bring in place of `before`.

    By the field, not by its value: sources spell addresses and keys otherwise than specifications do.
    """
    own = (event for event in withheld if event.provider == after.provider)
    return tuple(event for event in own if _brings(event, before, after))


def _brings(event: DriftEvent, before: ClientSpec | None, after: ClientSpec) -> bool:
    if event.kind in (DriftKind.BASE_URL, DriftKind.PROTOCOL, DriftKind.AUTH):
        new = getattr(after, event.kind)
        return new != getattr(before, event.kind) if before else str(new) == event.after
    if event.model is None or before is None:
        return False
    old, new = (_model(spec, event.model) for spec in (before, after))
    if event.kind is DriftKind.MODELS:
        return (old is None) != (new is None)
    return old is not None and new is not None and _value(old, event) != _value(new, event)


def _model(spec: ClientSpec, id_: str) -> Model | None:
    return next((model for model in spec.models if model.id == id_), None)


def _value(model: Model, event: DriftEvent) -> object:
    """Of a limit. Prices are held where requests are reckoned: what a specification states of them costs nobody."""
    return getattr(model, event.field, None) if event.kind is DriftKind.LIMIT else None
