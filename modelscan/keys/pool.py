"""Chooses the key of the next request: least used first, within its limits, memory only; who was refused rests."""

from collections.abc import Collection, Mapping, Sequence

from modelscan.catalog.keys import KeyStanding
from modelscan.keys.counter import Counter, Used
from modelscan.keys.lease import Lease
from modelscan.keys.provider import ProviderKeys, Waiting
from modelscan.keys.store import UsableKey
from modelscan.limits import AnchoredClock, Clock, Window

__all__ = ["KeyPool"]

_COOLDOWN_SECONDS = 900.0


class KeyPool:
    """The keys of all providers. A request reserves when it begins, so concurrent ones spread evenly, and no burst
    passes a limit. Of one event loop.
    """

    def __init__(self, cooldown_seconds: float = _COOLDOWN_SECONDS, *, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or AnchoredClock()
        self.cooldown_seconds = cooldown_seconds
        """How long a key rests after a 429 that does not say how long."""
        self._of: dict[str, ProviderKeys] = {}
        self._unsaved: dict[Counter, None] = {}

    def replace(
        self, keys: Mapping[str, Sequence[UsableKey]], used: Mapping[str, Mapping[str, Used]] | None = None
    ) -> None:
        """Take a new set of keys, by provider; one that remains keeps what is known of it here.

        `used`, by provider and key: what new ones used in the current windows.
        """
        for provider in self._of.keys() - keys.keys():
            self._of[provider].replace((), {})
        for provider, usables in keys.items():
            mine = self._of.get(provider)
            if mine is None:
                mine = self._of[provider] = ProviderKeys(self.clock, lambda: self.cooldown_seconds, self._changed)
            mine.replace(usables, (used or {}).get(provider, {}))

    def choose(self, provider: str, tokens: int = 1, without: Collection[str] = ()) -> Lease | None:
        """The least used key with room for a request of about `tokens`, which are reserved; None where there is none.

        `without` names keys that this request has tried.
        """
        mine = self._of.get(provider)
        return mine.choose(tokens, without) if mine else None

    def waiting(self, provider: str, tokens: int = 1) -> Waiting | None:
        """Where no key can be used now: when the first one can, and why not before; else None."""
        mine = self._of.get(provider)
        return mine.waiting(tokens) if mine else None

    def in_order(self, provider: str) -> list[tuple[Counter, Waiting]]:
        """The keys as they would be chosen now, and what each waits for."""
        mine = self._of.get(provider)
        return mine.in_order() if mine else []

    def score(self, counter: Counter) -> float:
        """By which it is chosen: the lowest is first."""
        return counter.score(self._of[counter.usable.key.provider].usual)

    def windows(self, provider: str, key_id: str) -> Mapping[str, Window[int]]:
        """In which a key's use is counted, by the names of its limits; none where it is not one of the pool's."""
        mine = self._of.get(provider)
        counter = mine.counters.get(key_id) if mine else None
        return dict(zip(("rpm", "tpm", "daily"), counter.windows, strict=True)) if counter else {}

    def enable(self, provider: str, key_id: str) -> None:
        """The operator's word: nothing is held against the key any more."""
        mine = self._of.get(provider)
        if mine and (counter := mine.counters.get(key_id)):
            mine.enable(counter)

    @property
    def has_unsaved(self) -> bool:
        """Whether the standing of any has changed since it was last taken to be kept."""
        return bool(self._unsaved)

    def take_unsaved(self) -> list[KeyStanding]:
        """How those stand whose standing has changed since the last time."""
        changed, self._unsaved = self._unsaved, {}
        return [counter.standing for counter in changed if not counter.gone]

    def give_back(self, standings: Sequence[KeyStanding]) -> None:
        """They could not be saved: the next time, then, unless they have changed or gone meanwhile."""
        for one in standings:
            mine = self._of.get(one.provider)
            if mine and (counter := mine.counters.get(one.key_id)):
                self._unsaved[counter] = None

    def _changed(self, counter: Counter) -> None:
        self._unsaved[counter] = None
