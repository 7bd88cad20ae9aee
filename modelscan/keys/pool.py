"""Chooses the key of the next request: least used first, O(log n), memory only."""

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from modelscan.keys.store import UsableKey

__all__ = ["KeyPool"]


@dataclass(slots=True)
class _Counter:
    usable: UsableKey
    requests: int
    tokens: int
    stamp: int = 0
    """Raised with each change, so that older heap entries are known to be stale."""

    @property
    def score(self) -> float:
        return self.requests + self.tokens / 1000


class KeyPool:
    """The keys of all providers. A request counts when it is begun, so concurrent ones spread evenly."""

    def __init__(self, keys: Mapping[str, Sequence[UsableKey]]) -> None:
        self._counters: dict[tuple[str, str], _Counter] = {}
        self._heaps: dict[str, list[tuple[float, str, int]]] = {}
        self.replace(keys)

    def replace(self, keys: Mapping[str, Sequence[UsableKey]]) -> None:
        """Take a new set of keys; a key that remains keeps the counters that it has here."""
        before, self._counters, self._heaps = self._counters, {}, {}
        for provider, usables in keys.items():
            self._heaps[provider] = []
            for usable in usables:
                known = before.get((provider, usable.key.id))
                requests, tokens = (known.requests, known.tokens) if known else (usable.key.requests, usable.key.tokens)
                self._counters[provider, usable.key.id] = _Counter(usable, requests, tokens)
                heapq.heappush(self._heaps[provider], (requests + tokens / 1000, usable.key.id, 0))

    def choose(self, provider: str, without: Collection[str] = ()) -> UsableKey | None:
        """The least used key (score: requests + tokens/1000), counted as used; None where the provider has none.

        `without` names keys that this request has tried; only then are all looked at.
        """
        heap = self._heaps.get(provider)
        if without:
            return self._other(provider, without)
        while heap:
            _, key_id, stamp = heap[0]
            counter = self._counters[provider, key_id]
            if counter.stamp == stamp:
                counter.requests += 1
                counter.stamp += 1
                heapq.heapreplace(heap, (counter.score, key_id, counter.stamp))
                return counter.usable
            heapq.heappop(heap)
        return None

    def _other(self, provider: str, without: Collection[str]) -> UsableKey | None:
        left = [
            (counter.score, key_id)
            for (owner, key_id), counter in self._counters.items()
            if owner == provider and key_id not in without
        ]
        if not left:
            return None
        key_id = min(left)[1]
        counter = self._counters[provider, key_id]
        counter.requests += 1
        counter.stamp += 1
        heapq.heappush(self._heaps[provider], (counter.score, key_id, counter.stamp))
        return counter.usable

    def settle(self, provider: str, key_id: str, tokens: int) -> None:
        """Count what a request used, once it is known; a key that is gone meanwhile is passed over."""
        counter = self._counters.get((provider, key_id))
        if counter is None or not tokens:
            return
        counter.tokens += tokens
        counter.stamp += 1
        heapq.heappush(self._heaps[provider], (counter.score, key_id, counter.stamp))
