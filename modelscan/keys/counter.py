"""What the pool knows of one key: what it used in the current windows, and what its provider holds against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from modelscan.catalog.keys import KeyStanding
from modelscan.keys.learned import Learned
from modelscan.keys.store import UsableKey
from modelscan.limits import DAY, MINUTE, Window

__all__ = ["Counter", "Used"]


class Used(NamedTuple):
    """Of a key, in the current minute and the current day, as the usage rows say."""

    requests: int = 0
    tokens: int = 0
    requests_today: int = 0


@dataclass(slots=True, eq=False)
class Counter:
    """Of one key."""

    usable: UsableKey
    requests: Window[int] = field(default_factory=lambda: Window(MINUTE, 0))
    tokens: Window[int] = field(default_factory=lambda: Window(MINUTE, 0))
    day: Window[int] = field(default_factory=lambda: Window(DAY, 0))
    """Requests."""
    running: Window[int] = field(default_factory=lambda: Window(MINUTE, 0))
    """Requests that began in this minute and are not over."""
    stamp: int = 0
    """Of the heap entry that counts; others are stale. 0: it stands in none."""
    placed: float = 0.0
    """The score of that entry. Where the score has grown since, it is put right when it stands first."""
    refusals: int = 0
    """In a row."""
    refused: int = 0
    """Ever; tells an answer to a request that was sent before a refusal from one to a later one."""
    status: int = 0
    """Of the last refusal."""
    fault_at: float = 0.0
    rests_until: float = 0.0
    """0: it does not rest."""
    disabled: bool = False
    """By the provider, until the operator acts."""
    gone: bool = False
    """It is no longer one of the pool's; requests that run with it may still end."""
    learned: Mapping[str, Learned] = field(default_factory=dict)
    look_at: float = 0.0
    """When headers are looked at again of a provider that told no limits the last time."""

    @classmethod
    def of(cls, usable: UsableKey, used: Used, now: float) -> "Counter":
        """As the catalogue knows it."""
        counter, key = cls(usable), usable.key
        for window, amount in zip(counter.windows, used, strict=True):
            window.restore(amount, now)
        counter.status = key.fault_status or 0
        counter.fault_at = key.fault_at.timestamp() if key.fault_at else 0.0
        if key.rests_until and key.rests_until.timestamp() > now:
            counter.rests_until = key.rests_until.timestamp()
            counter.refusals = int(counter.status == 429)
        counter.take(usable)
        return counter

    @property
    def windows(self) -> tuple[Window[int], Window[int], Window[int]]:
        """Requests and tokens of the minute, requests of the day."""
        return self.requests, self.tokens, self.day

    def turn(self, now: float) -> None:
        """Begin the windows that `now` is in."""
        for window in (*self.windows, self.running):
            window.turn(now)

    def score(self, usual: float) -> float:
        """Of the current minute; the lowest is chosen. A request that runs counts with the tokens that are `usual`."""
        return self.requests.used + (self.tokens.used + self.running.used * usual) / 1000

    def take(self, usable: UsableKey) -> None:
        """Heed what the operator set since."""
        self.usable, key = usable, usable.key
        for window, limit in zip(self.windows, (key.rpm, key.tpm, key.daily), strict=True):
            if window.limit is None and limit is not None:
                window.restored = window.used  # Nobody else was told of it while there was no limit.
            window.limit = limit

    def needed(self, tokens: int) -> int:
        """What a request of `tokens` must find free; one beyond a minute's limit gets a minute of its own."""
        limit = self.tokens.limit
        return max(tokens, 1) if limit is None or tokens <= limit else limit

    def room(self, tokens: int, now: float) -> bool:
        """Whether its limits leave room for one more request."""
        return self.requests.room(1, now) and self.day.room(1, now) and self.tokens.room(self.needed(tokens), now)

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until they will for sure, its rest apart; infinite where they never will."""
        return max(self.requests.wait(1, now), self.day.wait(1, now), self.tokens.wait(self.needed(tokens), now))

    def forgive(self) -> None:
        """Nothing is held against it any more; what was last is remembered."""
        self.refusals, self.rests_until, self.disabled = 0, 0.0, False

    @property
    def standing(self) -> KeyStanding:
        """What is worth keeping."""
        return KeyStanding(
            self.usable.key.provider,
            self.usable.key.id,
            self.disabled,
            self.status or None,
            _moment(self.fault_at),
            _moment(self.rests_until),
        )


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
