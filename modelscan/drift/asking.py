"""Which changes are asked for, in words: of a query's parameters or of a command's options."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import AwareDatetime

from modelscan.catalog import drift
from modelscan.catalog.database import Database
from modelscan.errors import InvalidInput
from modelscan.types import DriftEvent, DriftKind, DriftState, Frozen, utc_now
from modelscan.usage.ranges import moment

__all__ = ["ChangesAsked", "asked_changes"]

_LIMIT = 100
Words = TypeVar("Words", bound=StrEnum)


class ChangesAsked(Frozen):
    """All that is given must hold; None: whatever it is."""

    kinds: tuple[DriftKind, ...] | None = None
    states: tuple[DriftState, ...] | None = None
    provider: str | None = None
    since: AwareDatetime | None = None
    before: str | None = None
    """Only those older than the change of this id: the next page."""
    limit: int = _LIMIT

    def found(self, database: Database) -> tuple[DriftEvent, ...]:
        """Those of the catalogue, the newest first."""
        return drift.list_events(database, **dict(self))

    def matches(self, event: DriftEvent) -> bool:
        """Whether one that was just told is among them, whichever page is meant."""
        return (
            (self.kinds is None or event.kind in self.kinds)
            and (self.states is None or event.state in self.states)
            and self.provider in (None, event.provider)
            and (self.since is None or event.found_at >= self.since)
        )


def asked_changes(words: Iterable[tuple[str, str]], now: datetime | None = None) -> ChangesAsked:
    """What `kind=price,limit`, `state`, `provider`, `since`, `before` and `limit` say; raises InvalidInput."""
    asked: dict[str, Any] = {}
    for name, value in words:
        if name == "kind":
            asked["kinds"] = (*asked.get("kinds", ()), *_named(value, DriftKind))
        elif name == "state":
            asked["states"] = (*asked.get("states", ()), *_named(value, DriftState))
        elif name == "since":
            asked["since"] = moment(value, now or utc_now())
        elif name == "limit":
            asked["limit"] = _limit(value)
        elif name in ("provider", "before"):
            asked[name] = value
        else:
            raise _unknown(name, ("kind", "state", "provider", "since", "before", "limit"))
    return ChangesAsked(**asked)


def _named(text: str, words: type[Words]) -> tuple[Words, ...]:
    names = [name for part in text.split(",") if (name := part.strip())]
    if wrong := next((name for name in names if name not in list(words)), None):
        raise _unknown(wrong, list(words))
    return tuple(map(words, names))


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= drift.MOST:
        return int(text)
    raise InvalidInput(f"{text[:40]!r} is no number of rows.", hint=f"Write 1 to {drift.MOST}.")


def _unknown(word: str, words: Iterable[str]) -> InvalidInput:
    return InvalidInput(f"{word[:40]!r} is not known here.", hint=f"Known are {', '.join(words)}.")
