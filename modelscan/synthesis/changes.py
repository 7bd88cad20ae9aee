"""What a candidate would change against the version that is served."""

from collections.abc import Iterable

from modelscan.types import Auth, Change, ClientSpec, Model, Price

__all__ = ["changes_between"]

_NOTHING = "none"


def changes_between(before: ClientSpec | None, after: ClientSpec) -> tuple[Change, ...]:
    """Name, protocol, address, key, models and prices that differ; all of them where nothing is served yet."""
    return tuple(change for change in _changes(before, after) if change.before != change.after)


def _changes(before: ClientSpec | None, after: ClientSpec) -> Iterable[Change]:
    for field in ("name", "protocol", "base_url"):
        yield Change(field=field, before=getattr(before, field, _NOTHING), after=getattr(after, field))
    mappings = (spec.rest.name if spec and spec.rest else _NOTHING for spec in (before, after))
    yield Change(field="mapping", before=next(mappings), after=next(mappings))
    yield Change(field="auth", before=_key(before.auth) if before else _NOTHING, after=_key(after.auth))
    old = {model.id: model for model in before.models} if before else {}
    new = {model.id: model for model in after.models}
    yield Change(field="models.added", before=_NOTHING, after=", ".join(sorted(set(new) - set(old))) or _NOTHING)
    yield Change(field="models.removed", before=", ".join(sorted(set(old) - set(new))) or _NOTHING, after=_NOTHING)
    for id_ in sorted(set(old) & set(new)):
        yield from _of_model(id_, old[id_], new[id_])


def _of_model(id_: str, old: Model, new: Model) -> Iterable[Change]:
    for name in Price.model_fields:
        told = (getattr(model.price or Price(), name) for model in (old, new))
        before, after = ("unknown" if price is None else f"{price.normalize():f}" for price in told)
        yield Change(field=f"{id_} price.{name}", before=before, after=after)
    told = (", ".join(model.capabilities) or _NOTHING for model in (old, new))
    yield Change(field=f"{id_} capabilities", before=next(told), after=next(told))
    for name in ("context_tokens", "output_tokens"):
        limits = (getattr(model, name) for model in (old, new))
        before, after = ("unknown" if limit is None else str(limit) for limit in limits)
        yield Change(field=f"{id_} {name}", before=before, after=after)


def _key(auth: Auth) -> str:
    return f"key in {auth.header} {auth.scheme}".rstrip() if auth.kind == "header" else "no key"
