"""Limits that a provider tells of a key in the headers of its answers, by OpenAI's names or by Anthropic's."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

__all__ = ["Learned", "exhausted_until", "learned"]

_LONGEST = 40
"""Bytes of a value that is looked at."""
_FARTHEST = 86_400.0
"""Seconds; a reset that is said to be later is taken for this."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_SECONDS = (3600.0, 60.0, 1.0, 0.001)
_NUMBER = re.compile(rb"\d{1,15}")


class Learned(NamedTuple):
    """Of requests or of tokens. Over which time a limit is meant is not told: it may be a minute or a day."""

    limit: int | None = None
    remaining: int | None = None
    resets_at: float | None = None
    """Seconds since 1970."""


_NOTHING = Learned()
_NAMES: Mapping[bytes, tuple[str, str]] = {
    name.encode(): (what, part)
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
    for part in ("limit", "remaining", "reset")
    for name in (f"x-ratelimit-{part}-{what}", f"anthropic-ratelimit-{what}-{part}")
}


def learned(headers: Sequence[tuple[bytes, bytes]], now: float) -> dict[str, Learned]:
    """What the headers (their names in lower case) say of `requests`, `tokens`, `input-tokens` and `output-tokens`;
    nonsense says nothing.
    """
    found: dict[str, Learned] = {}
    for name, value in headers:
        if place := _NAMES.get(name):
            what, part = place
            found[what] = _told(found.get(what, _NOTHING), part, value, now)
    return {what: one for what, one in found.items() if one != _NOTHING}


def exhausted_until(found: Mapping[str, Learned], now: float, *, refused: bool = False) -> float | None:
    """When that comes back of which nothing remains; None where all have something left.

    `refused` by a 429: then a reset without a remainder counts, too.
    """
    resets = [
        one.resets_at
        for one in found.values()
        if one.resets_at is not None
        and one.resets_at > now
        and (one.remaining == 0 or (refused and one.remaining is None))
    ]
    return max(resets, default=None)


def _told(before: Learned, part: str, value: bytes, now: float) -> Learned:
    if part == "reset":
        return before._replace(resets_at=_reset(value, now))
    return before._replace(limit=_count(value)) if part == "limit" else before._replace(remaining=_count(value))


def _count(value: bytes) -> int | None:
    return int(value) if _NUMBER.fullmatch(value) else None


def _reset(value: bytes, now: float) -> float | None:
    """A time ("2026-01-27T12:00:00Z"), a duration ("6m0s", "120ms") or seconds ("1.5"), as seconds since 1970."""
    text = value[: _LONGEST + 1].decode("latin-1").strip()
    if not text or len(text) > _LONGEST or not text.isascii():
        return None
    wait = _seconds(text)
    if wait is None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        wait = moment.timestamp() - now
    return now + min(max(wait, 0.0), _FARTHEST)


def _seconds(text: str) -> float | None:
    if found := _DURATION.fullmatch(text):
        return sum(float(part) * unit for part, unit in zip(found.groups("0"), _SECONDS, strict=True))
    return float(text) if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text) else None
