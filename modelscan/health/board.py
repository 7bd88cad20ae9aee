"""How all providers stand: who is to be asked by a call of ours, and when, and what has changed."""

import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from modelscan.health.judging import RANK, Look, judged_traffic
from modelscan.health.standing import Standing, after, forgotten
from modelscan.health.traffic import Window
from modelscan.settings import HealthSettings
from modelscan.types import HealthChange, HealthState, ProviderHealth, utc_now

__all__ = ["Board"]

_SOON_SECONDS = 10.0
"""At the start, and where something is amiss, at the latest."""
_SOONER = 5
"""So much sooner than others those are asked who are not up."""
_STALE = 3
"""After so many intervals without a look nobody knows."""
_JITTER = 0.2


@dataclass(slots=True)
class _Row:
    standing: Standing
    due: float
    """By the monotonic clock, as all times here."""
    chat_due: float
    looked: float
    chat_failed: float = -inf
    """When a chat of ours did."""
    faults: int = 0
    """In the window that was looked at last."""


class Board:
    """Of one event loop. `ailing` is all that a request reads of it."""

    def __init__(
        self,
        settings: HealthSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.ailing: Mapping[str, int] = {}
        """Provider -> rank of those that are not up: the higher is asked later."""
        self._clock = clock
        self._now = now
        self._chance = chance
        self._rows: dict[str, _Row] = {}
        self._known: dict[str, HealthChange] = {}
        self._changes: list[HealthChange] = []

    def remember(self, changes: Iterable[HealthChange]) -> None:
        """The last changes that were stored: who was known before a restart is as it was, until it is looked at."""
        self._known = {one.provider: one for one in changes}

    def follow(self, providers: Collection[str]) -> None:
        """These are served now; the others are no longer looked at."""
        for provider in self._rows.keys() - set(providers):
            del self._rows[provider]
        for provider in providers:
            if provider not in self._rows:
                self._rows[provider] = self._begun(provider)
        self._rank()

    def seen(self, provider: str, window: Window) -> None:
        """What its requests met in the last minutes."""
        row, at = self._rows[provider], self._clock()
        fresh = window if window.fresh else Window()
        look = judged_traffic(fresh, row.standing.state, self.settings, self._now())
        soon = at + self._spread(min(_SOON_SECONDS, self.settings.probe_seconds))
        if look is not None and self._suspected(row, window):
            row.due = min(row.due, soon)
            self._confirm(provider, row, look)
        elif look is not None:
            self._look(provider, row, look)
            row.due = at + self._interval(row)
        elif window.failed > row.faults:
            row.due = min(row.due, soon)
        elif at - row.looked > self._stale_seconds:
            self._put(provider, row, forgotten(row.standing, self._now()))
        row.faults = window.failed

    def due(self) -> list[str]:
        """Who is to be asked now by calls that cost nothing, the longest due first. Each is told once an interval."""
        if not self.settings.probe_seconds:
            return []
        at = self._clock()
        found = sorted((row.due, provider) for provider, row in self._rows.items() if row.due <= at)
        for _, provider in found:
            self._rows[provider].due = at + self._interval(self._rows[provider])
        return [provider for _, provider in found]

    def chat_due(self, provider: str) -> bool:
        """Whether a chat of ours is due, which costs; told once an interval."""
        row, at = self._rows.get(provider), self._clock()
        if row is None or row.chat_due > at or not self.settings.max_cost_usd_per_day:
            return False
        row.chat_due = at + self._spread(self.settings.chat_seconds)
        return True

    def called(self, provider: str, look: Look, window: Window) -> None:
        """What calls of ours met. A good one says no more than degraded while requests of callers or a chat of ours
        failed lately; a chat that fails says no less, and no more: the free calls were answered before it."""
        if (row := self._rows.get(provider)) is None:
            return
        at = self._clock()
        if look.evidence.source == "chat":
            row.chat_failed = -inf if look.state == "up" else at
        if look.state == "up" and (amiss := self._amiss(row, window)):
            words = f"{look.evidence.words}; but {amiss}"
            look = Look("degraded", look.evidence.model_copy(update={"words": words}))
        elif look.evidence.source == "chat" and look.state == "down":
            look = look._replace(state="degraded")
        self._look(provider, row, look)
        row.due = at + self._interval(row)

    def standing(self, provider: str) -> ProviderHealth | None:
        """How one stands; None where it is not served."""
        row = self._rows.get(provider)
        return self._shown(provider, row) if row else None

    def standings(self) -> tuple[ProviderHealth, ...]:
        """How each stands, by name."""
        return tuple(self._shown(provider, row) for provider, row in sorted(self._rows.items()))

    def counts(self) -> dict[HealthState, int]:
        """How many are in each state."""
        counts: dict[HealthState, int] = dict.fromkeys(RANK, 0)
        for row in self._rows.values():
            counts[row.standing.state] += 1
        return counts

    def take_changes(self) -> list[HealthChange]:
        """What changed since this was asked last."""
        changes, self._changes = self._changes, []
        return changes

    def _begun(self, provider: str) -> _Row:
        at, known = self._clock(), self._known.pop(provider, None)
        standing = Standing(known.after, known.at, known.evidence) if known else Standing("unknown", self._now())
        soon = at + min(_SOON_SECONDS, self.settings.probe_seconds) * self._chance()
        return _Row(standing, soon, at + self.settings.chat_seconds * self._chance(), at)

    def _suspected(self, row: _Row, window: Window) -> bool:
        """Whether it fails so often that calls of ours are to say whether it is down, or callers make it look so."""
        return row.standing.state != "down" and window.failed >= window.requests * self.settings.down_share

    def _amiss(self, row: _Row, window: Window) -> str:
        """What went wrong lately, in words; empty where nothing did."""
        traffic = judged_traffic(window, row.standing.state, self.settings, self._now())
        if traffic and traffic.state != "up":
            return traffic.evidence.words
        chat_failed = self._clock() - row.chat_failed < self.settings.window_seconds
        return "a chat of ours failed lately" if chat_failed else ""

    def _confirm(self, provider: str, row: _Row, look: Look) -> None:
        """As `_look`, but what our calls said meanwhile is not forgotten."""
        before = row.standing
        self._look(provider, row, look)
        if row.standing.state == before.state:
            row.standing = replace(row.standing, doubts=before.doubts)

    def _look(self, provider: str, row: _Row, look: Look) -> None:
        row.looked = self._clock()
        self._put(provider, row, after(row.standing, look))

    def _put(self, provider: str, row: _Row, standing: Standing) -> None:
        before, row.standing = row.standing, standing
        if before.state != standing.state:
            change = HealthChange(
                provider=provider,
                before=before.state,
                after=standing.state,
                at=standing.since,
                evidence=standing.evidence,
            )
            self._changes.append(change)
            self._rank()

    def _rank(self) -> None:
        ranks = {provider: RANK[row.standing.state] for provider, row in self._rows.items()}
        self.ailing = {provider: rank for provider, rank in ranks.items() if rank}

    def _shown(self, provider: str, row: _Row) -> ProviderHealth:
        standing = row.standing
        return ProviderHealth(provider=provider, state=standing.state, since=standing.since, evidence=standing.evidence)

    def _interval(self, row: _Row) -> float:
        well = row.standing.state == "up" and not row.standing.doubts
        return self._spread(self.settings.probe_seconds / (1 if well else _SOONER))

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + _JITTER * (2 * self._chance() - 1))

    @property
    def _stale_seconds(self) -> float:
        return max(self.settings.probe_seconds * _STALE, self.settings.window_seconds)
