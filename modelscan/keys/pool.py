"""Chooses the key of the next request: least used first, O(log n), memory only; a key that was refused rests."""

import heapq
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from modelscan.keys.store import UsableKey

__all__ = ["KeyPool"]

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429
_LONGEST_REST = 900.0
_TRIAL_SECONDS = 10.0
"""How long the first request after a rest has the key to itself, unless it ends earlier."""
_FORBIDDEN_IN_A_ROW = 3
"""One refusal may be about one model, or one caller's words: it is no reason to take the key from everybody."""


@dataclass(slots=True)
class _Counter:
    usable: UsableKey
    requests: int
    tokens: int
    stamp: int = 0
    """Raised with each change, so that older heap entries are known to be stale."""
    refusals: int = 0
    """In a row."""
    status: int = 0
    """Of the last refusal."""
    rests_until: float = 0.0

    @property
    def score(self) -> float:
        return self.requests + self.tokens / 1000


@dataclass(slots=True)
class _Keys:
    """Of one provider."""

    counters: dict[str, _Counter] = field(default_factory=dict)
    ready: list[tuple[float, str, int]] = field(default_factory=list)
    """A heap of (score, key, stamp)."""
    resting: list[tuple[float, str]] = field(default_factory=list)
    """A heap of (until, key)."""


class KeyPool:
    """The keys of all providers. A request counts when it is begun, so concurrent ones spread evenly."""

    def __init__(self, keys: Mapping[str, Sequence[UsableKey]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: dict[str, _Keys] = {}
        self.replace(keys)

    def replace(self, keys: Mapping[str, Sequence[UsableKey]]) -> None:
        """Take a new set of keys; a key that remains keeps the counters that it has here, and its rest."""
        before, self._of = self._of, {}
        for provider, usables in keys.items():
            mine = self._of[provider] = _Keys()
            known = before.get(provider, _Keys()).counters
            for usable in usables:
                counter = known.get(usable.key.id) or _Counter(usable, usable.key.requests, usable.key.tokens)
                counter.usable = usable
                mine.counters[usable.key.id] = counter
                self._put(mine, usable.key.id, counter)

    def choose(self, provider: str, without: Collection[str] = ()) -> UsableKey | None:
        """The least used key (score: requests + tokens/1000), counted as used; None where none can be used now.

        `without` names keys that this request has tried; only then are all looked at.
        """
        mine = self._of.get(provider)
        if mine is None:
            return None
        if mine.resting:
            self._wake(mine)
        if without:
            return self._other(mine, without)
        heap = mine.ready
        while heap:
            _, key_id, stamp = heap[0]
            counter = mine.counters[key_id]
            if counter.stamp == stamp:
                return self._used(mine, key_id, counter)
            heapq.heappop(heap)
        return None

    def settle(self, provider: str, key_id: str, tokens: int) -> None:
        """Count what a request used, once it is known; a key that is gone meanwhile is passed over."""
        mine = self._of.get(provider)
        counter = mine.counters.get(key_id) if mine else None
        if mine is None or counter is None or not tokens:
            return
        counter.tokens += tokens
        if not counter.rests_until:
            self._put(mine, key_id, counter)

    def refused(self, provider: str, key_id: str, status: int, retry_after: float | None = None) -> None:
        """The provider answered 401, 403 or 429: the key rests, longer each time in a row."""
        mine = self._of.get(provider)
        counter = mine.counters.get(key_id) if mine else None
        if mine is None or counter is None:
            return
        counter.refusals = counter.refusals + 1 if status == counter.status else 1
        counter.status = status
        if seconds := _rest(status, counter.refusals, retry_after):
            self._lay(mine, key_id, counter, seconds)

    def accepted(self, provider: str, key_id: str) -> None:
        """The provider took the key: its rest, if it had one, is over."""
        mine = self._of.get(provider)
        counter = mine.counters.get(key_id) if mine else None
        if mine is None or counter is None or not counter.refusals:
            return
        counter.refusals = counter.status = 0
        if counter.rests_until:
            counter.rests_until = 0.0
            self._put(mine, key_id, counter)

    def resting(self, provider: str) -> tuple[float, int] | None:
        """Where all keys rest: seconds until the first may be tried, and the status for which it rests; else None."""
        mine = self._of.get(provider)
        if mine is None or not mine.counters:
            return None
        until, status = min((counter.rests_until, counter.status) for counter in mine.counters.values())
        return (max(until - self._clock(), 0.0), status) if until else None

    def _put(self, mine: _Keys, key_id: str, counter: _Counter) -> None:
        """Into the heap where it belongs; what it holds of the key from before is stale."""
        counter.stamp += 1
        if counter.rests_until:
            heapq.heappush(mine.resting, (counter.rests_until, key_id))
        else:
            heapq.heappush(mine.ready, (counter.score, key_id, counter.stamp))

    def _lay(self, mine: _Keys, key_id: str, counter: _Counter, seconds: float) -> None:
        counter.rests_until = self._clock() + seconds
        self._put(mine, key_id, counter)

    def _wake(self, mine: _Keys) -> None:
        now = self._clock()
        while mine.resting and mine.resting[0][0] <= now:
            until, key_id = heapq.heappop(mine.resting)
            counter = mine.counters[key_id]
            if counter.rests_until == until:
                counter.rests_until = 0.0
                self._put(mine, key_id, counter)

    def _used(self, mine: _Keys, key_id: str, counter: _Counter) -> UsableKey:
        counter.requests += 1
        if counter.refusals and _rest(counter.status, counter.refusals, None):
            # It has rested: one request tries it, and the others wait for what comes of that.
            self._lay(mine, key_id, counter, _TRIAL_SECONDS)
        else:
            counter.stamp += 1
            heapq.heappush(mine.ready, (counter.score, key_id, counter.stamp))
        return counter.usable

    def _other(self, mine: _Keys, without: Collection[str]) -> UsableKey | None:
        left = [
            (counter.score, key_id)
            for key_id, counter in mine.counters.items()
            if key_id not in without and not counter.rests_until
        ]
        if not left:
            return None
        key_id = min(left)[1]
        return self._used(mine, key_id, mine.counters[key_id])


def _rest(status: int, times: int, retry_after: float | None) -> float:
    """How many seconds a key rests that was refused so for the nth time in a row; 0 where it need not."""
    doubled = float(1 << min(times - 1, 10))
    if status == _TOO_MANY:
        return min(doubled if retry_after is None else max(retry_after, 0.05), _LONGEST_REST)
    if status == _FORBIDDEN and times < _FORBIDDEN_IN_A_ROW:
        return 0.0
    return min(60.0 * doubled, _LONGEST_REST)
