"""What this router used and holds of each shared window, what is known of the others, and its share without them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelscan.shared.wants import Refusal, State, Want

__all__ = ["Counts"]

_KEPT_SECONDS = 3600.0
"""After a window's end: as long as Redis keeps it."""


@dataclass(slots=True)
class _Mine:
    """Of one window."""

    ends_at: float
    used: int = 0
    held: int = 0
    others: int = 0
    """Used and held by all others, as last told."""
    lost: int = 0
    """The loss of Redis that `at_loss` is of."""
    at_loss: int = 0
    own: bool = False
    """Whether this router ever took of it; what it gave back has to be said as well."""

    @property
    def taken(self) -> int:
        return self.used + self.held


class Counts:
    """Own amounts are exact: whatever Redis forgets, this router can say again what it took."""

    def __init__(self) -> None:
        self._mine: dict[str, _Mine] = {}
        self._holds: dict[str, Sequence[Want]] = {}
        self.losses = 0
        """How often Redis was lost."""
        self.routers = 1
        """That were there when it was last seen."""

    def take(self, hold: str, wants: Sequence[Want]) -> None:
        """The request `hold` holds these from now on."""
        self._holds[hold] = wants
        for want in wants:
            mine = self._of(want)
            mine.own = True
            if want.counted:
                mine.used += want.amount
            else:
                mine.held += want.amount

    def settle(self, hold: str, used: Sequence[int]) -> list[list[Any]]:
        """It is over, and used so much of each; as the ledger is told it."""
        wants = self._holds.pop(hold)
        for want, spent in zip(wants, used, strict=True):
            mine = self._of(want)
            if want.counted:
                mine.used += spent - want.amount
            else:
                mine.held -= want.amount
                mine.used += spent
        return settled(wants, used)

    def learn(self, window: str, ends_at: float, state: State) -> None:
        """What Redis says of a window."""
        mine = self._mine.setdefault(window, _Mine(ends_at))
        mine.others = max(0, state.used + state.held - state.mine_used - state.mine_held)

    def by_share(self, wants: Sequence[Want]) -> tuple[Want, ...] | Refusal:
        """What may be taken though nobody can be asked: of what was left when Redis was lost, as much as each other
        router gets. Rounded down, so that all of them together stay within the limit.
        """
        fitting = []
        for want in wants:
            mine = self._of(want)
            if mine.lost != self.losses:
                mine.lost, mine.at_loss = self.losses, mine.taken
                mine.others = max(mine.others, want.least)
            most = mine.at_loss + max(0, want.limit - mine.others - mine.at_loss) // self.routers
            amount = min(want.amount, most) if want.whole else want.amount
            if mine.taken + amount > most:
                return Refusal(want, State(want.limit - most + mine.used, mine.held), by_share=True)
            fitting.append(want._replace(amount=amount))
        return tuple(fitting)

    def told(self) -> tuple[list[list[Any]], Mapping[str, list[Any]]]:
        """All that this router used and holds, as the ledger is told it."""
        windows = [
            [window, mine.ends_at, str(mine.used), str(mine.held)] for window, mine in self._mine.items() if mine.own
        ]
        return windows, {hold: [want.spelt() for want in wants] for hold, wants in self._holds.items()}

    def forget(self, now: float) -> None:
        """Let go of windows that ended long ago."""
        for window in [name for name, mine in self._mine.items() if mine.ends_at + _KEPT_SECONDS < now]:
            del self._mine[window]

    def _of(self, want: Want) -> _Mine:
        mine = self._mine.get(want.window)
        if mine is None:
            mine = self._mine[want.window] = _Mine(want.ends_at)
        mine.ends_at = max(
            mine.ends_at, want.ends_at
        )  # What runs at once has no end, but is kept while it is asked for.
        return mine


def settled(wants: Iterable[Want], used: Sequence[int]) -> list[list[Any]]:
    """What a request held and used of each window, as the ledger is told it."""
    return [
        [want.window, want.ends_at, str(want.amount), int(want.counted), str(spent)]
        for want, spent in zip(wants, used, strict=True)
    ]
