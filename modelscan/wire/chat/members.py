"""Reading a caller's JSON member by member: what is wrong is named by its path, and what is left over is known."""

import json
import math
import re
from typing import Any

from modelscan.errors import InvalidInput

__all__ = ["Members", "not_carried", "parsed_arguments", "wrong"]

_INDEX = re.compile(r"\.\d+")
_MOST_TOKENS = 10**9
Json = dict[str, Any]


def wrong(path: str, wanted: str) -> InvalidInput:
    """A member that is not what it must be."""
    return InvalidInput(f"`{path}` must be {wanted}.", hint="docs/api.md says what is translated.", param=path)


def not_carried(path: str, what: str, instead: str) -> InvalidInput:
    """A member without which the request would mean something else, and which no other protocol can say."""
    return InvalidInput(
        f"`{path}`: {what} cannot be carried to a provider that speaks another protocol.", hint=instead, param=path
    )


class Members:
    """One object of the request. A member that is null is one that is not there, as in all these protocols."""

    __slots__ = ("_left", "dropped", "path")

    def __init__(self, value: Any, path: str = "", dropped: list[str] | None = None) -> None:
        if not isinstance(value, dict):
            raise wrong(path or "body", "an object")
        self._left = {name: one for name, one in value.items() if one is not None}
        self.path = path
        self.dropped = [] if dropped is None else dropped

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return name in self._left

    def raw(self, name: str) -> Any:
        """The member as it is; None where there is none. Read once, it is not left over."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        value = self.raw(name)
        if value is not None and not isinstance(value, str):
            raise wrong(self.at(name), "a text")
        return value

    def needed(self, name: str) -> str:
        """A text without which nothing can be done."""
        value = self.text(name)
        if value is None:
            raise wrong(self.at(name), "a text, and is missing")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.at(name), "true or false")
        return value

    def number(self, name: str) -> float | None:
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not _is_small(value):
            raise wrong(self.at(name), "a number")
        return value

    def count(self, name: str) -> int | None:
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_TOKENS:
            raise wrong(self.at(name), f"a whole number from 1 to {_MOST_TOKENS}")
        return value

    def object(self, name: str) -> "Members | None":
        value = self.raw(name)
        return None if value is None else Members(value, self.at(name), self.dropped)

    def needed_object(self, name: str) -> "Members":
        return Members(self.raw(name), self.at(name), self.dropped)

    def json(self, name: str) -> Json | None:
        """An object that is carried as it is, such as a schema."""
        value = self.raw(name)
        if value is not None and not isinstance(value, dict):
            raise wrong(self.at(name), "an object")
        return value

    def items(self, name: str) -> "list[Members]":
        """The objects of a list."""
        return self.objects(name, self.raw(name))

    def objects(self, name: str, value: Any) -> "list[Members]":
        """A member that was read raw, as the list of objects that it must be."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong(self.at(name), "a list")
        return [Members(one, f"{self.at(name)}.{index}", self.dropped) for index, one in enumerate(value)]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one text alone."""
        value = self.raw(name)
        if value is None:
            return ()
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise wrong(self.at(name), "a text or a list of texts")
        return tuple(found)

    def ignore(self, *names: str) -> None:
        """Leave out members that say nothing to a model, without a word."""
        for name in names:
            self._left.pop(name, None)

    def drop(self, name: str) -> None:
        """Leave out a member, and say so."""
        self._left.pop(name, None)
        self.dropped.append(_INDEX.sub("", self.at(name)))

    def rest(self) -> Json:
        """What nobody read."""
        left, self._left = self._left, {}
        return left

    def end(self) -> None:
        """Leave out what nobody read, and say so."""
        for name in self.rest():
            self.drop(name)


def _is_small(value: float) -> bool:
    return abs(value) < 1e12 and math.isfinite(value)


def parsed_arguments(text: str) -> Json | None:
    """The object that a call's arguments are; none at all stand for an empty one, and None for what is no object."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
