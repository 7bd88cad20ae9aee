"""Reads YAML of the outside as plain JSON values, and refuses what would grow beyond its own text."""

import math
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import yaml
from pydantic import JsonValue

__all__ = ["NotRead", "front_matter", "read_yaml"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it: 0.1 s instead of 2 s for GPUStack's catalogue."""
_MAX_DEPTH = 32
_CHARS_A_NODE = 64


class NotRead(ValueError):
    """Why a text is not taken, in a few words."""


def read_yaml(text: str, *, nodes: int) -> JsonValue:
    """The value of a YAML text, without tags and objects; dates become texts.

    Raises NotRead for what is no YAML, nests deeply, or has more than `nodes` values once its aliases are in place.
    """
    try:
        _measure(yaml.parse(text, Loader=_LOADER), nodes)
        return _plain(yaml.load(text, Loader=_LOADER))  # noqa: S506 - a safe loader
    except NotRead:
        raise
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NotRead(f"it is no YAML that can be read ({type(error).__name__})") from None


def front_matter(text: str) -> str | None:
    """What stands between the first line `---` and the next one, also with CRLF; None where it does not begin so."""
    first, *lines = text.removeprefix("\ufeff").lstrip().splitlines() or [""]
    if first.rstrip() != "---":
        return None
    ends = next((number for number, line in enumerate(lines) if line.rstrip() == "---"), None)
    return None if ends is None else "\n".join(lines[:ends])


def _measure(events: Iterator[Any], most: int) -> None:
    """Count what the aliases stand for, too: nine short lines can stand for a billion values."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = [(None, 0)]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) > _MAX_DEPTH:
                raise NotRead(f"it nests more than {_MAX_DEPTH} deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
        elif isinstance(event, yaml.AliasEvent):
            anchor, size = None, sizes.get(event.anchor or "", most)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1 + len(event.value) // _CHARS_A_NODE
        else:
            continue
        if anchor:
            sizes[anchor] = size
        open_[-1] = (open_[-1][0], open_[-1][1] + size)
        if open_[-1][1] > most:
            raise NotRead(f"it holds more than {most} values")


def _plain(value: Any) -> JsonValue:
    if isinstance(value, dict):
        return {_text(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return None  # Binary, sets, and numbers that JSON has not.


def _text(value: object) -> str:
    """Without half a surrogate pair, which YAML's escapes can write and nothing can store."""
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
