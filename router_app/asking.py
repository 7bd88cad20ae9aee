"""A request's body as it came, read once: single members can be changed, and every other byte stays as it was."""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the decoder's own, which typeshed leaves out
from typing import Any

from modelscan.errors import InvalidInput

__all__ = ["Asked"]

_SPACE = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # as above


class Asked:
    """A JSON object. `members` are its values; `put` and `rename` change the bytes that `body` gives."""

    __slots__ = ("_changed", "_keys", "_text", "_values", "members")

    def __init__(self, body: bytes) -> None:
        """Raises InvalidInput where it is no JSON object in UTF-8, or holds a member twice."""
        self.members: dict[str, Any] = {}
        self._keys: dict[str, tuple[int, int]] = {}
        self._values: dict[str, tuple[int, int]] = {}
        self._changed: list[tuple[int, int, str]] = []
        try:
            self._text = body.decode("utf-8-sig")
            self._read()
        except (ValueError, IndexError, StopIteration, RecursionError) as error:
            raise InvalidInput("The body is not a JSON object.", hint="docs/api.md says what it holds.") from error

    def unchanged(self) -> "Asked":
        """The same body as it came: itself, where nothing was changed."""
        return Asked(self._text.encode()) if self._changed else self

    def put(self, name: str, value: Any) -> None:
        """Set a member; one that is new stands first."""
        text = json.dumps(value, ensure_ascii=False)
        if name in self._values:
            self._changed.append((*self._values[name], text))
        else:
            start = self._text.index("{") + 1
            self._changed.append((start, start, f"{json.dumps(name)}: {text}{', ' if self.members else ''}"))
        self.members[name] = value

    def rename(self, name: str, other: str) -> None:
        """Give a member, which is there, another name, which is not."""
        self._changed.append((*self._keys[name], json.dumps(other)))
        self.members[other] = self.members.pop(name)

    def remove(self, name: str) -> None:
        """Take out a member, which is there, with its comma."""
        names = list(self._keys)
        place = names.index(name)
        start, end = self._keys[name][0], self._values[name][1]
        if place + 1 < len(names):
            end = self._keys[names[place + 1]][0]
        elif place:
            start = self._values[names[place - 1]][1]
        self._changed.append((start, end, ""))
        del self.members[name]

    def body(self) -> bytes:
        """The bytes as they came, but for what was changed."""
        parts, at = [], 0
        for start, end, text in sorted(self._changed):
            parts += [self._text[at:start], text]
            at = end
        return "".join([*parts, self._text[at:]]).encode("utf-8", "replace")

    def _read(self) -> None:
        text, space = self._text, _SPACE.match
        at = self._after("{", space(text, 0).end())  # type: ignore[union-attr]  # it always matches
        if text[at] == "}":
            return self._ended(at + 1)
        while True:
            start = at
            name, at = scanstring(text, self._opening(at), True)
            self._keys[name] = start, at
            at = self._after(":", space(text, at).end())  # type: ignore[union-attr]
            start = at
            value, at = _decode(text, at)
            if name in self.members:
                raise InvalidInput(f"The body holds {name[:64]!r} twice.", hint="Send each member once.")
            self.members[name] = value
            self._values[name] = start, at
            at = space(text, at).end()  # type: ignore[union-attr]
            if text[at] == "}":
                return self._ended(at + 1)
            at = self._after(",", at)

    def _opening(self, at: int) -> int:
        if self._text[at] != '"':
            raise ValueError
        return at + 1

    def _after(self, mark: str, at: int) -> int:
        """Where something begins after `mark`, which stands at `at`."""
        if self._text[at] != mark:
            raise ValueError
        return _SPACE.match(self._text, at + 1).end()  # type: ignore[union-attr]

    def _ended(self, at: int) -> None:
        if _SPACE.fullmatch(self._text, at) is None:
            raise ValueError
