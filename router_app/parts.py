"""The state of each part of the service, for /health."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from modelscan.types import Frozen, utc_now

__all__ = ["Part", "PartState", "Parts"]

PartState = Literal["starting", "up", "down", "off"]


class Part(Frozen):
    """One part: `off` is switched off on purpose."""

    state: PartState
    detail: str = ""
    since: AwareDatetime


class Parts:
    """All parts by name; a state that is set again keeps its time."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._parts: dict[str, Part] = {}
        self._clock = clock

    def set(self, name: str, state: PartState, detail: str = "") -> None:
        """What is seen of a part now."""
        known = self._parts.get(name)
        since = known.since if known and known.state == state else self._clock()
        self._parts[name] = Part(state=state, detail=detail, since=since)

    def state(self, name: str) -> PartState | None:
        """The state of one part."""
        part = self._parts.get(name)
        return part.state if part else None

    def snapshot(self) -> dict[str, dict[str, object]]:
        """All parts, as JSON."""
        return {name: part.model_dump(mode="json") for name, part in self._parts.items()}
