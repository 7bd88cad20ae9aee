"""What is told in Prefect of a run that could not tell its end itself, in words that a person can act on."""

import os
import signal
from typing import Literal, NamedTuple

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Crashed, Failed

from tasks.running.child import OUT_OF_MEMORY, STOPPED

__all__ = ["Limits", "Why", "ended"]

Why = Literal["", "cancelled", "time", "closing"]
"""For what it was told to end: nothing; somebody cancelled it; its time was over; the runner ends."""


class Limits(NamedTuple):
    """What one run may use, and the settings that say so."""

    seconds: float
    seconds_setting: str
    memory_mb: int


def ended(status: int, why: Why, limits: Limits) -> State[None] | None:
    """The state of a run whose process ended with `status`, as waitpid has it; None where the run told it itself."""
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return None
    match why:
        case "cancelled":
            return Cancelled(message="It was cancelled while it ran, and stopped.")
        case "time":
            words = f"It took more than {limits.seconds:g} s, and was stopped. {limits.seconds_setting} sets the limit."
            return Failed(name="TimedOut", message=words)
        case "closing":
            return Crashed(message="The runner was ended while this ran: ask for it again.")
    return Crashed(message=_words(status, limits))


def _words(status: int, limits: Limits) -> str:
    lack = f"It needed more than {limits.memory_mb} MiB of memory, and was ended. runner.memory_mb sets the limit."
    if os.WIFSIGNALED(status):
        number = signal.Signals(os.WTERMSIG(status))
        if number == signal.SIGKILL:
            return "Its process was killed (SIGKILL): by somebody, or by the system because memory ran out."
        if number == signal.SIGABRT:
            return (
                f"Its process aborted (SIGABRT), as libraries do that get no memory; it may use {limits.memory_mb} MiB."
            )
        return (
            f"Its process was ended by {number.name}, a fault of a library or a signal of somebody's; see runner.log."
        )
    if (code := os.WEXITSTATUS(status)) == OUT_OF_MEMORY:
        return lack
    if code == STOPPED:
        return "It was stopped before its end: ask for it again."
    return f"Its process ended unexpectedly, with {code}; runner.log says why."
