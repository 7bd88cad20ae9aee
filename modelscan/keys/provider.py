"""The keys of one provider: which one is next, which ones rest, and when there will be one again."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import NamedTuple

from modelscan.keys.counter import Counter, Used
from modelscan.keys.learned import exhausted_until, learned
from modelscan.keys.lease import Lease
from modelscan.keys.store import UsableKey
from modelscan.limits import MINUTE, Clock

__all__ = ["ProviderKeys", "Waiting"]

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429
_LONGEST_REST = 86_400.0
_TRIAL_SECONDS = 10.0
"""How long the first request after a rest has the key to itself, unless it ends earlier."""
_FORBIDDEN_IN_A_ROW = 3
"""One refusal may be about one model, or one caller's words: it is no reason to take the key from everybody."""
_WORTH_KEEPING = 5.0
"""Seconds; a shorter rest, as of a bucket that fills by the second, is over before a restart would be."""
_LATELY = 0.125
"""How much the last request counts of what is usual."""
_STALE = 256
"""So many heap entries beyond a few for each key, and the heap is made anew."""
_LOOK_SECONDS = 1.0
"""How often headers are looked at of a provider that tells no limits: to look costs as much as to choose."""
_log = logging.getLogger(__name__)

_Entry = tuple[float, int, Counter]


class Waiting(NamedTuple):
    """Why no key can be used now, of the one that can be first."""

    seconds: float
    """Infinite: not before somebody acts."""
    status: int
    """Of the provider's last refusal; 0: the operator's own limits leave no room."""


class ProviderKeys:
    """The least used comes first, O(log n): a heap by the score and, of equal ones, who was used least recently.

    A key whose limits leave no room stands in no heap until something is given back or the next minute begins, when
    all scores begin anew.
    """

    def __init__(self, clock: Clock, cooldown: Callable[[], float], unsaved: Callable[[Counter], None]) -> None:
        self._clock = clock
        self._cooldown = cooldown
        self._unsaved = unsaved
        self._stamps = count(1)
        self.usual = 0.0
        """Tokens of a request lately; those that run count with as many, so that they weigh what they will."""
        self._ready: list[_Entry] = []
        self._resting: list[_Entry] = []
        self._began = self._until = 0.0
        """Of the current minute."""
        self.counters: dict[str, Counter] = {}
        self._gone: dict[str, Counter] = {}
        """Of keys that are no longer there: should one come back, it used what it used."""

    def replace(self, usables: Sequence[UsableKey], used: Mapping[str, Used]) -> None:
        """Take a new set; a key that remains keeps what is known of it, another one gets what was `used` by its id."""
        now, before = self._clock(), self._gone | self.counters
        self.counters = {}
        for usable in usables:
            key_id = usable.key.id
            counter = before.pop(key_id, None) or Counter.of(usable, used.get(key_id, Used()), now)
            counter.gone = False
            counter.take(usable)
            self.counters[key_id] = counter
        for counter in before.values():
            counter.stamp, counter.gone = 0, True
        self._gone = before
        self._begin(now)

    def choose(self, tokens: int, without: Collection[str]) -> Lease | None:
        """The least used with room for `tokens`, but for those named in `without`; None where there is none."""
        now = self._clock()
        if not self._began <= now < self._until or len(self._ready) > _STALE + 4 * len(self.counters):
            self._begin(now)
        if self._resting and self._resting[0][0] <= now:
            self._wake(now)
        ready, passed = self._ready, []
        lease = None
        while ready:
            entry = ready[0]
            counter = entry[2]
            if counter.stamp != entry[1]:
                heappop(ready)
            elif (score := counter.score(self.usual)) > entry[0]:
                counter.placed = score
                heapreplace(ready, (score, entry[1], counter))
            elif counter.usable.key.id in without:
                passed.append(heappop(ready))
            elif counter.room(tokens, now):
                lease = Lease(self, counter, counter.needed(tokens))
                self._used(counter, now)
                break
            else:
                heappop(ready)
                if counter.room(1, now):
                    passed.append(entry)  # For a smaller request it has room.
                else:
                    counter.stamp = 0
        for entry in passed:
            heappush(ready, entry)
        return lease

    def settled(self, counter: Counter, tokens: int) -> None:
        """A request with it is over, and used so many tokens."""
        if tokens:
            self.usual += (tokens - self.usual) * (_LATELY if self.usual else 1.0)
        self.changed(counter)

    def changed(self, counter: Counter) -> None:
        """It used or reserved less than was thought, or more."""
        if counter.rests_until or counter.disabled or counter.gone:
            return
        if not counter.stamp or counter.score(self.usual) < counter.placed:
            self._put(counter)

    def refused(
        self, counter: Counter, status: int, headers: Sequence[tuple[bytes, bytes]], retry_after: float | None
    ) -> None:
        """The provider did not take it. 429: it rests; 401, and the third 403 in a row: it waits for the operator."""
        if counter.gone:
            return
        now = self._clock()
        counter.refusals = counter.refusals + 1 if status == counter.status else 1
        counter.refused += 1
        counter.status, counter.fault_at = status, now
        if status == _TOO_MANY:
            if told := learned(headers, now):
                counter.learned = told
            self._rest(counter, now, self._seconds(counter, retry_after, now))
        elif status == _UNAUTHORIZED or counter.refusals >= _FORBIDDEN_IN_A_ROW:
            self._disable(counter)
        self._unsaved(counter)

    def accepted(self, counter: Counter, headers: Sequence[tuple[bytes, bytes]], *, after_refusal: bool = True) -> None:
        """The provider took it: its rest is over, unless the request was sent before the refusal."""
        if counter.disabled or counter.gone:
            return
        if counter.refusals and (after_refusal or counter.status == _FORBIDDEN):
            self._recover(counter)
        now = self._clock()
        if now >= counter.look_at:
            self._learn(counter, headers, now)

    def enable(self, counter: Counter) -> None:
        """The operator's word: nothing is held against it any more."""
        counter.forgive()
        self._put(counter)
        self._unsaved(counter)

    def waiting(self, tokens: int) -> Waiting | None:
        """Why none can be used now, and when the first one can; None where one can be, or none is there."""
        now = self._clock()
        found = [self._waiting(counter, tokens, now) for counter in self.counters.values()]
        first = min(found, default=None)
        return first if first and first.seconds > 0 else None

    def in_order(self, tokens: int = 1) -> list[tuple[Counter, Waiting]]:
        """All of them as they would be chosen: by when they can be, then by score, then least recently used."""
        now = self._clock()
        for counter in self.counters.values():
            counter.turn(now)
        found = [(counter, self._waiting(counter, tokens, now)) for counter in self.counters.values()]
        return sorted(found, key=lambda one: (one[1].seconds, one[0].score(self.usual), one[0].stamp))

    @staticmethod
    def _waiting(counter: Counter, tokens: int, now: float) -> Waiting:
        if counter.disabled:
            return Waiting(float("inf"), counter.status)
        rest, limits = max(counter.rests_until - now, 0.0), counter.wait(tokens, now)
        return Waiting(rest, counter.status) if rest >= limits and rest else Waiting(limits, 0)

    def _begin(self, now: float) -> None:
        """Put all where they belong: the scores begin anew with each minute, and only entries that count are kept."""
        self._began, self._until = MINUTE.bounds(now)
        self._ready, self._resting = [], []
        for counter in sorted(self.counters.values(), key=lambda one: one.stamp):
            counter.turn(now)
            if not counter.disabled:
                counter.stamp, counter.placed = next(self._stamps), counter.score(self.usual)
                heap, first = (
                    (self._resting, counter.rests_until) if counter.rests_until else (self._ready, counter.placed)
                )
                heap.append((first, counter.stamp, counter))
        heapify(self._ready)
        heapify(self._resting)

    def _put(self, counter: Counter) -> None:
        """Where it belongs; what stands of it elsewhere is stale."""
        counter.stamp = next(self._stamps)
        if counter.rests_until:
            heappush(self._resting, (counter.rests_until, counter.stamp, counter))
        else:
            counter.placed = counter.score(self.usual)
            heappush(self._ready, (counter.placed, counter.stamp, counter))

    def _used(self, counter: Counter, now: float) -> None:
        """It stands first, and was chosen."""
        if counter.refusals and counter.status == _TOO_MANY:
            # It has rested: one request tries it, and the others wait for what comes of that.
            counter.rests_until = now + _TRIAL_SECONDS
            self._put(counter)
            return
        counter.stamp, counter.placed = next(self._stamps), counter.score(self.usual)
        heapreplace(self._ready, (counter.placed, counter.stamp, counter))

    def _wake(self, now: float) -> None:
        resting = self._resting
        while resting and resting[0][0] <= now:
            _, stamp, counter = heappop(resting)
            if counter.stamp == stamp:
                counter.rests_until = 0.0
                self._put(counter)

    def _learn(self, counter: Counter, headers: Sequence[tuple[bytes, bytes]], now: float) -> None:
        told = learned(headers, now)
        counter.look_at = 0.0 if told else now + _LOOK_SECONDS
        if told:
            counter.learned = told
            if until := exhausted_until(told, now):
                self._rest(counter, now, until - now)
                if until - now >= _WORTH_KEEPING:
                    self._unsaved(counter)

    def _seconds(self, counter: Counter, retry_after: float | None, now: float) -> float:
        """How long it rests after a 429."""
        if retry_after is not None:
            return retry_after
        until = exhausted_until(counter.learned, now, refused=True)
        return self._cooldown() if until is None else until - now

    def _rest(self, counter: Counter, now: float, seconds: float) -> None:
        if counter.disabled:
            return
        until = now + min(max(seconds, 0.05), _LONGEST_REST)
        if not counter.rests_until:
            level, why = (
                (_log.warning, "after status 429") if counter.refusals else (_log.info, "with nothing left there")
            )
            level("key %s… (%s) of %s rests for %.3g s %s", *_named(counter), until - now, why)
        counter.rests_until = until
        self._put(counter)

    def _disable(self, counter: Counter) -> None:
        if not counter.disabled:
            provider = counter.usable.key.provider
            _log.error(
                "key %s… (%s) of %s is disabled: it was refused with status %d; see: modelscan keys explain %s",
                *_named(counter),
                counter.status,
                provider,
            )
        counter.disabled, counter.rests_until, counter.stamp = True, 0.0, 0

    def _recover(self, counter: Counter) -> None:
        if counter.rests_until:
            _log.warning("key %s… (%s) of %s is taken again", *_named(counter))
        counter.forgive()
        self._put(counter)
        self._unsaved(counter)


def _named(counter: Counter) -> tuple[str, str, str]:
    key = counter.usable.key
    return key.prefix, key.id, key.provider
