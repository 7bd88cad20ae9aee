"""Circuit breakers: a provider that fails again and again is left alone for a while, then tried by one request."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from modelscan.errors import CircuitOpen

__all__ = ["Circuits"]

_LONGEST_DOUBLED = 16
_TRIAL_SECONDS = 10.0
"""How long the request that tries a provider again has it to itself, unless it ends earlier."""


@dataclass(slots=True)
class _Circuit:
    faults: int = 0
    """In a row."""
    opened: int = 0
    """How often in a row."""
    until: float = 0.0
    trying: bool = False
    last: str = ""


class Circuits:
    """One for each provider that has failed since it last answered; who answers has none.

    Open after `faults` in a row (0: never) for `seconds`, twice as long each time in a row; then half open, where one
    request decides.
    """

    def __init__(self, faults: int = 5, seconds: float = 15.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._faults = faults
        self._seconds = seconds
        self._clock = clock
        self._of: dict[str, _Circuit] = {}

    def enter(self, provider: str) -> None:
        """A request is about to be sent there; raises CircuitOpen."""
        circuit = self._of.get(provider)
        if circuit is None or not circuit.opened:
            return
        now = self._clock()
        if now < circuit.until:
            raise CircuitOpen(
                f"{provider} failed {circuit.faults} times in a row, and is left alone: {circuit.last}",
                hint=f"It is tried again in {circuit.until - now:.0f} s.",
                provider=provider,
                retry_after=circuit.until - now,
            )
        circuit.until, circuit.trying = now + _TRIAL_SECONDS, True

    def failed(self, provider: str, what: str) -> None:
        """It did not answer, or said that it cannot."""
        circuit = self._of.setdefault(provider, _Circuit())
        circuit.faults += 1
        circuit.last = what
        if circuit.opened and not circuit.trying:
            return  # It was sent before the others failed.
        if self._faults and circuit.faults >= self._faults:
            circuit.until = self._clock() + self._seconds * min(2**circuit.opened, _LONGEST_DOUBLED)
            circuit.opened, circuit.trying = circuit.opened + 1, False

    def answered(self, provider: str) -> None:
        """It did."""
        if provider in self._of:
            del self._of[provider]

    def open_for(self, provider: str) -> float:
        """Seconds until it is asked again; 0 where it may be asked now."""
        circuit = self._of.get(provider)
        return max(circuit.until - self._clock(), 0.0) if circuit and circuit.opened else 0.0
