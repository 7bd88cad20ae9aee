"""A request's body as it came, read once: single members can be changed, and every other byte stays as it was."""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the decoder's own, which typeshed leaves out
from typing import Any

from modelscan.errors import InvalidInput

__all__ = ["Asked"]

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN_NAME = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
"""A member's name without escapes, as nearly all are, up to its value."""
_AFTER_VALUE = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
_MARK = b"\xef\xbb\xbf"
_decode = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # as above
_quoted = json.encoder.encode_basestring


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
            self._text = (body[3:] if body.startswith(_MARK) else body).decode()
            self._read()
        except (ValueError, IndexError, StopIteration, RecursionError) as error:
            raise InvalidInput("The body is not a JSON object.", hint="docs/api.md says what it holds.") from error

    def unchanged(self) -> "Asked":
        """The same body as it came: itself, where nothing was changed."""
        return Asked(self._text.encode()) if self._changed else self

    def put(self, name: str, value: Any) -> None:
        """Set a member; one that is new stands first."""
        text = _quoted(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
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
            name, at = self._name(at)
            start = at
            value, at = _decode(text, at)
            if name in self.members:
                raise InvalidInput(f"The body holds {name[:64]!r} twice.", hint="Send each member once.")
            self.members[name] = value
            self._values[name] = start, at
            if (found := _AFTER_VALUE.match(text, at)) is None:
                raise ValueError
            at = found.end()
            if found[1] == "}":
                return self._ended(at)

    def _name(self, at: int) -> tuple[str, int]:
        """The member's name that stands at `at`, and where its value begins."""
        if found := _PLAIN_NAME.match(self._text, at):
            name = found[1]
            self._keys[name] = at, found.end(1) + 1
            return name, found.end()
        if self._text[at] != '"':
            raise ValueError
        name, end = scanstring(self._text, at + 1, True)
        self._keys[name] = at, end
        return name, self._after(":", _SPACE.match(self._text, end).end())  # type: ignore[union-attr]

    def _after(self, mark: str, at: int) -> int:
        """Where something begins after `mark`, which stands at `at`."""
        if self._text[at] != mark:
            raise ValueError
        return _SPACE.match(self._text, at + 1).end()  # type: ignore[union-attr]

    def _ended(self, at: int) -> None:
        if _SPACE.fullmatch(self._text, at) is None:
            raise ValueError
