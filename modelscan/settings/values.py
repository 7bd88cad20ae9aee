"""Accepts one setting's value or says why not, without showing it: it may be a secret."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from modelscan.settings.sections import Settings

__all__ = ["NotAccepted", "accept", "merged"]

_KEYS: TypeAdapter[tuple[SecretStr, ...]] = TypeAdapter(tuple[Annotated[SecretStr, Field(min_length=1)], ...])


class NotAccepted(ValueError):
    """A value that cannot be used; its text says why, and what counts instead."""

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(f"{reason}; {_instead(path)}")
        self.reason = reason


def accept(path: tuple[str, ...], value: object) -> Any:
    """The setting at `path` made of `value`; raises NotAccepted for a wrong value and for an unknown key."""
    section, *rest = path
    if section not in Settings.model_fields:
        raise NotAccepted(path, "this key is unknown" + _nearest(section, Settings.model_fields))
    model = _model(section)
    if not rest and (model or section == "api_keys"):
        if value is None:
            return {}
        raise NotAccepted(path, "this should be a section of `key: value` lines")
    if section == "api_keys":
        return _keys(path, value)
    holder, key = (model, rest[0]) if model else (Settings, section)
    if rest and not model:
        raise NotAccepted((section,), "this should be one value, not a section")
    if key not in holder.model_fields:
        raise NotAccepted(path, "this key is unknown" + _nearest(key, holder.model_fields))
    try:
        return getattr(holder.model_validate({key: value}), key)
    except ValidationError as error:
        raise NotAccepted(path, _reason(error)) from None


def merged(values: Mapping[tuple[str, ...], Any]) -> Settings:
    """Settings of accepted values by their paths, and defaults for the rest."""
    tree: dict[str, Any] = {}
    for (section, *rest), value in values.items():
        if rest:
            tree.setdefault(section, {})[rest[0]] = value
        else:
            tree[section] = value
    return Settings.model_validate(tree)


def _keys(path: tuple[str, ...], value: object) -> tuple[SecretStr, ...]:
    if value is None:
        return ()
    try:
        return _KEYS.validate_python([value] if isinstance(value, str) else value)
    except ValidationError:
        raise NotAccepted(path, "this should be a key or a list of keys, each a text") from None


def _model(section: str) -> type[BaseModel] | None:
    annotation = Settings.model_fields[section].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    said = first["msg"]
    # Within a list it is told which item, from 1; what stands there is not.
    place = ", ".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"][1:])
    return (f"in {place}: " if place else "") + said[:1].lower() + said[1:]


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean `{nearest[0]}`?" if nearest else ""


def _instead(path: tuple[str, ...]) -> str:
    """What is in force where the value at `path` is not."""
    if path[0] == "api_keys":
        return "it gives no key"
    value: object = Settings()
    for name in path:
        if not hasattr(value, name):
            return "it is ignored"
        value = getattr(value, name)
    return "the defaults are used" if isinstance(value, BaseModel) else f"the default ({value}) is used"
