"""Amounts counted in fixed windows of time: reserved before they are used, settled once it is known what was used."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Generic, TypeVar

__all__ = ["DAY", "MINUTE", "MONTH", "AnchoredClock", "Clock", "Held", "Interval", "Window"]

Amount = TypeVar("Amount", int, Decimal)
Clock = Callable[[], float]
"""Seconds since 1970."""

# It counts the time that a machine was suspended, where the system has such a clock.
_STEADY: Clock = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class AnchoredClock:
    """Seconds since 1970 by a steady clock that was set once by the wall's.

    Whoever sets the machine's clock while this process runs neither ends a window early nor keeps one from ending.
    """

    __slots__ = ("_anchor", "_steady")

    def __init__(self, wall: Clock = time.time, steady: Clock = _STEADY) -> None:
        self._anchor = wall() - steady()
        self._steady = steady

    def __call__(self) -> float:
        return self._anchor + self._steady()


class Interval(Enum):
    """The windows follow each other without a gap, all in UTC."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"

    def bounds(self, now: float) -> tuple[float, float]:
        """When the window that `now` is in began, and when the next one begins."""
        if self is Interval.MONTH:
            first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return first.timestamp(), (first + timedelta(days=32)).replace(day=1).timestamp()
        seconds = 60.0 if self is Interval.MINUTE else 86_400.0
        began = now // seconds * seconds
        return began, began + seconds


MINUTE, DAY, MONTH = Interval


class Window(Generic[Amount]):
    """What was used of one amount in the current window, and what is reserved by requests that still run.

    A request counts in the window that it began in, as its usage row does: what is settled after that window's end
    counts nowhere, and what is never settled is gone with the window. Should `now` go back, the counts stay and their
    window becomes the one that `now` is in: nothing is granted twice, and nobody waits longer than one interval.

    Not for several threads. To reserve in several windows, all or none, ask each for `room` first.
    """

    __slots__ = ("_zero", "began", "elsewhere", "interval", "limit", "reserved", "restored", "serial", "until", "used")

    def __init__(self, interval: Interval, zero: Amount, limit: Amount | None = None) -> None:
        self.interval = interval
        self.limit: Amount | None = limit
        """None: counted, and never refused."""
        self._zero: Amount = zero
        self.used: Amount = zero
        self.reserved: Amount = zero
        self.elsewhere: Amount = zero
        """Used by other routers, as last told: for people to see. Whoever grants is asked each time."""
        self.restored: Amount = zero
        """What was known to be used when this was made."""
        self.began = self.until = 0.0
        self.serial = 0
        """Of the window; raised when the next one begins."""

    def turn(self, now: float) -> None:
        """Begin the window that `now` is in, unless that was done."""
        if self.began <= now < self.until:
            return
        if now >= self.until:
            self.serial += 1
            self.used = self.reserved = self.elsewhere = self.restored = self._zero
        self.began, self.until = self.interval.bounds(now)

    def taken(self, now: float) -> Amount:
        """What is used, by other routers too, or reserved."""
        self.turn(now)
        return self.used + self.elsewhere + self.reserved

    def left(self, now: float) -> Amount | None:
        """What may still be reserved; None where there is no limit."""
        return None if self.limit is None else max(self.limit - self.taken(now), self._zero)

    def room(self, amount: Amount, now: float) -> bool:
        """Whether `amount` may be reserved. An amount beyond the whole limit never may: ask for the limit instead, and
        get it in a window that nobody used.
        """
        if not self.began <= now < self.until:  # `turn`, without the call: this is asked for every request.
            self.turn(now)
        return self.limit is None or self.used + self.reserved + amount <= self.limit

    def wait(self, amount: Amount, now: float) -> float:
        """Seconds until there is room for `amount` for sure: 0 where there is, infinite where there never will be."""
        if self.limit is None or self.taken(now) + amount <= self.limit:
            return 0.0
        return self.until - now if amount <= self.limit else float("inf")

    def reserve(self, amount: Amount, now: float) -> "Held[Amount]":
        """Keep `amount` for a request that begins; whether there is `room` is the caller's question."""
        if not self.began <= now < self.until:
            self.turn(now)
        self.reserved += amount
        return Held(self, amount)

    def count(self, amount: Amount, now: float) -> None:
        """Count what is used at once, and never given back."""
        if not self.began <= now < self.until:
            self.turn(now)
        self.used += amount

    def restore(self, used: Amount, now: float) -> None:
        """Set what was used in the window that `now` is in, as the usage rows say at the start."""
        self.turn(now)
        self.used = self.restored = used


class Held(Generic[Amount]):
    """What one request reserved in one window. Settled once; a second time does nothing."""

    __slots__ = ("_serial", "_window", "amount")

    def __init__(self, window: Window[Amount], amount: Amount) -> None:
        self._window: Window[Amount] = window
        self._serial = window.serial
        self.amount: Amount = amount

    def settle(self, used: Amount) -> None:
        """Give back what was reserved, and count what was used of it, which may be more."""
        window = self._window
        if window.serial == self._serial:
            window.reserved -= self.amount
            window.used += used
        self._serial = -1

    def release(self) -> None:
        """Give all of it back: nothing was used."""
        self.settle(self._window._zero)
