"""How a provider stands, look by look: a state changes only where looks agree, so that it does not flap."""

from dataclasses import dataclass, replace
from datetime import datetime

from modelscan.health.judging import RANK, Look
from modelscan.types import HealthEvidence, HealthState

__all__ = ["AGREE", "Standing", "after", "forgotten"]

AGREE = 2
"""So many looks in a row must say otherwise."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Between two looks."""

    state: HealthState
    since: datetime
    evidence: HealthEvidence | None = None
    doubts: tuple[HealthState, ...] = ()
    """What the last looks said that said otherwise, all better or all worse than the state."""


def after(before: Standing, look: Look) -> Standing:
    """The standing once this was seen.

    Requests of callers make it worse at once, as a window of them is many looks already, and so does a chat of ours
    that failed. Free calls do so by two in a row, and nothing makes it better by less than two. Of looks that differ
    the mildest change counts.
    """
    if look.state in (before.state, "unknown"):
        return replace(before, evidence=look.evidence, doubts=()) if look.state == before.state else before
    if before.state == "unknown" and look.state == "up":
        return _changed("up", look)
    rank = RANK[before.state]
    worse = RANK[look.state] > rank
    doubts = (*(one for one in before.doubts if (RANK[one] > rank) == worse), look.state)
    if worse and look.evidence.source != "probe":
        return _changed(look.state, look)
    if len(doubts) < AGREE:
        return replace(before, doubts=doubts)
    mildest = min(doubts, key=lambda one: abs(RANK[one] - rank))
    return _changed(mildest, look)


def forgotten(before: Standing, at: datetime) -> Standing:
    """Nothing was seen of it for so long that nobody knows."""
    return before if before.state == "unknown" else Standing("unknown", at)


def _changed(state: HealthState, look: Look) -> Standing:
    return Standing(state, look.evidence.at, look.evidence)
