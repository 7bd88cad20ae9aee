"""What a request asks of windows that routers share, and what it is told."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ["Grant", "Refusal", "State", "Want"]


class Want(NamedTuple):
    """An amount of one window. Dollars are pico-dollars here: Redis counts whole numbers."""

    window: str
    """Its name, the beginning of the time that it is for included."""
    ends_at: float
    """Seconds since 1970."""
    limit: int
    amount: int
    least: int
    """What had been used in it when this router began to count, by the usage rows."""
    counted: bool = False
    """Whether it is used at once, as a request is, where what else is held is given back."""
    whole: bool = False
    """Whether a request that needs more than there ever is gets all of it."""

    def spelt(self) -> list[Any]:
        """As the ledger reads it. Amounts are texts: JSON's numbers are not exact."""
        return [self.window, self.ends_at, str(self.limit), str(self.amount), int(self.counted), str(self.least)]

    @classmethod
    def read(cls, told: Sequence[Any]) -> "Want":
        """What was spelt."""
        window, ends_at, limit, amount, counted, least = told
        return cls(window, ends_at, int(limit), int(amount), int(least), bool(counted))


class State(NamedTuple):
    """Of one window, over all routers."""

    used: int
    held: int
    mine_used: int = 0
    mine_held: int = 0


class Refusal(NamedTuple):
    """There is no room."""

    want: Want
    state: State
    by_share: bool
    """Whether it is this router's share that is used up, since Redis is lost."""


class Grant:
    """What a request holds. Settled once; a second time does nothing."""

    __slots__ = ("_settle", "hold", "states", "wants")

    def __init__(
        self,
        hold: str,
        wants: Sequence[Want],
        states: Sequence[State],
        settle: Callable[["Grant", Sequence[int]], None],
    ) -> None:
        self.hold = hold
        self.wants = wants
        self.states = states
        """Of each window, with this grant in it."""
        self._settle: Callable[[Grant, Sequence[int]], None] | None = settle

    def settle(self, used: Sequence[int]) -> None:
        """The request is over, and used so much of each window."""
        if self._settle is not None:
            settle, self._settle = self._settle, None
            settle(self, used)
