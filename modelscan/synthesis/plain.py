"""Scraped JSON as plain lines, one value a line: what a language model may read, and what it may cite."""

import json
import unicodedata
from collections import deque
from collections.abc import Iterator

from pydantic import JsonValue

from modelscan.redaction import Redact

__all__ = ["leaves", "lines_of", "visible"]

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_SELECTORS = frozenset([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x115F, 0x1160, 0x3164, 0xFFA0, 0x034F])
"""Characters that show nothing though their category does not say so."""
_READ_CHARS, _VALUE_CHARS, _NAME_CHARS = 200_000, 2_000, 300


def visible(text: str) -> str:
    """`text` without what a reader would not see: control and format characters, tags, private and unassigned ones."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one
        for one in text
        if one in "\n\t" or (unicodedata.category(one) not in _HIDDEN and ord(one) not in _SELECTORS)
    )


def leaves(payload: JsonValue) -> Iterator[tuple[tuple[str, ...], JsonValue]]:
    """(path, value) of each text, number and truth value: the shallow ones first, as they say the most."""
    waiting: deque[tuple[tuple[str, ...], JsonValue]] = deque([((), payload)])
    while waiting:
        path, value = waiting.popleft()
        if isinstance(value, dict):
            waiting.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, str(number)), inner) for number, inner in enumerate(value))
        elif value is not None:
            yield path, value


def lines_of(payload: JsonValue, limit: int, redact: Redact) -> str:
    """`path: value` a line, as many as have `limit` characters together, and how many more there are.

    A value is JSON, so that it can neither end its line nor begin another.
    """
    kept: list[str] = []
    left = limit
    cut = 0
    for path, value in leaves(payload):
        line = _line(path, value, redact) if left > 0 else ""
        left -= len(line) + 1
        if left >= 0:
            kept.append(line)
        else:
            cut += 1
    return "\n".join([*kept, f"({cut} more values are cut)"] if cut else kept)


def _line(path: tuple[str, ...], value: JsonValue, redact: Redact) -> str:
    name = visible(".".join(path)).replace("\n", " ").replace("\t", " ") or "value"
    # Redacted before it is cut, so that no half of a key is left at the end.
    shown = redact(visible(value[:_READ_CHARS]))[:_VALUE_CHARS] if isinstance(value, str) else value
    return f"{redact(name)[:_NAME_CHARS]}: {json.dumps(shown, ensure_ascii=False)}"
