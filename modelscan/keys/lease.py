"""A key that was chosen for one request: what the request reserved with it, and what comes of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from modelscan.keys.counter import Counter
from modelscan.keys.store import UsableKey
from modelscan.limits import Window

if TYPE_CHECKING:
    from modelscan.keys.provider import ProviderKeys

__all__ = ["REFUSING", "Lease"]

REFUSING = frozenset({401, 403, 429})
"""Answers that are about the key. Such a request is not counted: the provider did nothing for it."""


class Lease:
    """Settled once; what is settled later, or never, is gone with its windows."""

    __slots__ = ("_amount", "_counter", "_keys", "_open", "_seen", "_serials", "ended", "usable")

    def __init__(self, keys: "ProviderKeys", counter: Counter, tokens: int) -> None:
        """Reserve; the windows were asked for room a moment ago, at the same time."""
        self.usable: UsableKey = counter.usable
        self._keys = keys
        self._counter = counter
        self._seen = counter.refused
        self._amount = tokens
        self._open = True
        self.ended: Callable[[int, int], None] | None = None
        """Hears how many requests (0 or 1) and tokens were used, where routers share the limits."""
        requests, window, day = counter.requests, counter.tokens, counter.day
        requests.used += 1  # A request is one from its beginning on: there is nothing to be settled.
        day.used += 1
        counter.running.used += 1
        window.reserved += tokens
        self._serials = requests.serial, window.serial, day.serial

    @property
    def key_id(self) -> str:
        return self.usable.key.id

    def parts(self) -> Iterator[tuple[str, Window[int], int]]:
        """What is reserved: the limit's name, its window, the amount."""
        requests, tokens, day = self._counter.windows
        yield from (("rpm", requests, 1), ("tpm", tokens, self._amount), ("daily", day, 1))

    def answered(
        self, status: int, headers: Sequence[tuple[bytes, bytes]] = (), retry_after: float | None = None
    ) -> None:
        """The provider answered a request that was sent with the key; `retry_after` in seconds, where it said so."""
        if status in REFUSING:
            self._keys.refused(self._counter, status, headers, retry_after)
            self._seen = self._counter.refused  # The same request may be sent again, and then its success counts.
        elif status < 500:
            self._keys.accepted(self._counter, headers, after_refusal=self._seen == self._counter.refused)

    def settle(self, tokens: int) -> None:
        """The request is over, and used so many tokens."""
        if self._open and self.ended is not None:
            self.ended(1, tokens)
        if self._end(tokens):
            self._keys.settled(self._counter, tokens)

    def release(self) -> None:
        """The request is over, or goes on with another key, and this one did nothing for it."""
        if self._open:
            if self.ended is not None:
                self.ended(0, 0)
            requests, _, day = self._counter.windows
            requests.used -= requests.serial == self._serials[0]
            day.used -= day.serial == self._serials[2]
            self._end(0)
            self._keys.changed(self._counter)

    def _end(self, tokens: int) -> bool:
        """Whether this changed what counts in the current minute."""
        window, counts = self._counter.tokens, self._open and self._counter.tokens.serial == self._serials[1]
        self._open = False
        if counts:
            window.reserved -= self._amount
            window.used += tokens
            self._counter.running.used -= 1
        return counts
