"""What becomes of changes that were found, beside those that are stored: nothing is asked twice. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count

from modelscan.types import DriftEvent, DriftState

__all__ = ["SUPERSEDED", "WENT_BACK", "Ledger"]

SUPERSEDED = "a newer value takes its place"
WENT_BACK = "the source went back to what counts"
_Subject = tuple[str, str, str | None, str]


class Ledger:
    """The events of some fields. `stored`: all of them, oldest first."""

    def __init__(self, stored: Iterable[DriftEvent]) -> None:
        self.written: dict[str, DriftEvent] = {}
        """By id, in order: what is new, or is in another state than it was stored in."""
        self.fresh: set[str] = set()
        """The ids of those that are new."""
        self._events: dict[_Subject, dict[str, DriftEvent]] = defaultdict(dict)
        for event in stored:
            self._events[_subject(event)][event.id] = event

    def enter(self, found: DriftEvent) -> DriftEvent:
        """Take one up, in its state by policy; returns it as it stands then.

        The same change as the newest of its field is no new event. One to a value that was rejected is rejected. One
        from a value that never counted begins at what did; where it ends there, nothing is to be asked.
        """
        known = list(self._events[_subject(found)].values())
        if known and _alike(known[-1], found):
            return self._stated(known[-1], found.state)
        counted = _counted(known, found.before)
        if found.after == counted:
            self._close(known, WENT_BACK)
            return self._added(found.model_copy(update={"state": DriftState.APPLIED, "reason": WENT_BACK}))
        found = _as_judged(known, found.model_copy(update={"before": counted}))
        if known and _alike(known[-1], found):
            return self._stated(known[-1], found.state)
        self._close(known, SUPERSEDED)
        return self._added(found)

    def close(self, event: DriftEvent, reason: str) -> DriftEvent:
        """Ask no more for one that is held: it is out of date."""
        return self._write(event.model_copy(update={"state": DriftState.IGNORED, "reason": reason}))

    def _stated(self, event: DriftEvent, state: DriftState) -> DriftEvent:
        """What a rule decided, it may decide otherwise now; what counts already, or was judged, stays."""
        if event.state is state or event.state not in (DriftState.HELD, DriftState.IGNORED):
            return event
        return self._write(event.model_copy(update={"state": state, "reason": ""}))

    def _close(self, known: Sequence[DriftEvent], reason: str) -> None:
        if known and known[-1].state is DriftState.HELD:
            self.close(known[-1], reason)

    def _added(self, found: DriftEvent) -> DriftEvent:
        taken = self._events[_subject(found)]
        event = next(one for one in map(found.derived, count()) if one.id not in taken)
        self.fresh.add(event.id)
        return self._write(event)

    def _write(self, event: DriftEvent) -> DriftEvent:
        self.written[event.id] = self._events[_subject(event)][event.id] = event
        return event


def _subject(event: DriftEvent) -> _Subject:
    return event.kind, event.provider, event.model, event.field


def _alike(one: DriftEvent, other: DriftEvent) -> bool:
    return (one.before, one.after) == (other.before, other.after)


def _as_judged(known: Sequence[DriftEvent], found: DriftEvent) -> DriftEvent:
    """With the operator's word, where the newest event with that value was rejected."""
    led = next((one for one in reversed(known) if one.after == found.after), None)
    if led is None or led.state is not DriftState.REJECTED:
        return found
    word = {"state": led.state, "reason": led.reason, "judged_at": led.judged_at, "judged_by": led.judged_by}
    return found.model_copy(update=word)


def _counted(known: Sequence[DriftEvent], value: str | None) -> str | None:
    """What counted where a source said `value`: the same, unless it was never taken up."""
    led = next((one for one in reversed(known) if one.after == value), None)
    return led.before if led and _never_counted(led) else value


def _never_counted(event: DriftEvent) -> bool:
    if event.state is DriftState.IGNORED:  # By policy, it was let pass; else it was held until then.
        return event.reason in (SUPERSEDED, WENT_BACK)
    return event.state in (DriftState.HELD, DriftState.REJECTED)
