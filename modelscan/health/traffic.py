"""What requests met at each provider in the last minutes: counted as they are answered, read now and then."""

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["SLICES", "Traffic", "Window"]

SLICES = 10
"""A window is made of; the oldest is dropped as a new one begins."""
_BROKE_OFF = "broke-off"
_SOFT = frozenset({"500", "upstream-timeout", _BROKE_OFF})
"""Faults that may be about the one request: a caller could provoke them, so that they never count as `hard`."""
_FRESH = 2
"""Slices, the current one included, whose requests are news."""
_MOST_TIMED = 50
"""Latencies that are kept of a slice, the first ones: to sort ten times as many of 147 busy providers took 54 ms."""


class Window(NamedTuple):
    """What a provider's requests met, each attempt counted."""

    requests: int = 0
    failed: int = 0
    """By faults of the provider's."""
    hard: int = 0
    """Of these, those that no caller can provoke."""
    faults: dict[str, int] = {}  # noqa: RUF012 - never changed
    p50: float | None = None
    """Seconds to the first byte of good answers; None where there is none."""
    p95: float | None = None
    fresh: int = 0
    """Of `requests`, those of the last slices."""


@dataclass(slots=True)
class _Slice:
    answered: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


class Traffic:
    """Of all providers. Noting costs a look-up and an addition; whoever reads it says when a slice is over."""

    def __init__(self) -> None:
        self._now: dict[str, _Slice] = {}
        self._before: deque[dict[str, _Slice]] = deque(maxlen=SLICES - 1)

    def answered(self, provider: str, status: int, seconds: float) -> None:
        """It answered after so many seconds. What a caller or a key did wrong is an answer like any other."""
        now = self._now.get(provider) or self._slice(provider)
        if status < 300:
            now.answered += 1
            if len(now.seconds) < _MOST_TIMED:
                now.seconds.append(seconds)
        elif 400 <= status < 500:
            now.answered += 1
        else:
            now.faults[str(status)] = now.faults.get(str(status), 0) + 1

    def failed(self, provider: str, what: str) -> None:
        """It did not answer, or broke off; `what` is the error's code."""
        now = self._now.get(provider) or self._slice(provider)
        now.faults[what] = now.faults.get(what, 0) + 1

    def broke_off(self, provider: str) -> None:
        """An answer that had begun, and was counted as one, did not come to its end."""
        now = self._now.get(provider) or self._slice(provider)
        now.answered = max(now.answered - 1, 0)
        self.failed(provider, _BROKE_OFF)

    def turn(self) -> None:
        """A slice is over."""
        self._before.append(self._now)
        self._now = {}

    def window(self, provider: str) -> Window:
        """What its requests met in the slices that are kept."""
        slices = [found for one in (*self._before, self._now) if (found := one.get(provider))]
        recent = list(self._before)[-(_FRESH - 1) :]
        fresh = [found for one in (*recent, self._now) if (found := one.get(provider))]
        faults: Counter[str] = Counter()
        for one in slices:
            faults.update(one.faults)
        failed, seconds = faults.total(), sorted(value for one in slices for value in one.seconds)
        return Window(
            requests=_count(slices),
            failed=failed,
            hard=failed - sum(faults[one] for one in _SOFT),
            faults=dict(faults.most_common()),
            p50=_percentile(seconds, 0.5),
            p95=_percentile(seconds, 0.95),
            fresh=_count(fresh),
        )

    def _slice(self, provider: str) -> _Slice:
        return self._now.setdefault(provider, _Slice())


def _count(slices: Sequence[_Slice]) -> int:
    return sum(one.answered + sum(one.faults.values()) for one in slices)


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[math.ceil(len(ordered) * share) - 1] if ordered else None
