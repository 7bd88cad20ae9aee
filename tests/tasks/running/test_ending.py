"""What is told of a run that could not tell its end itself."""

import signal

import pytest

from tasks.running.child import OUT_OF_MEMORY, STOPPED
from tasks.running.ending import Limits, Why, ended

LIMITS = Limits(120.0, "discovery.run_seconds", 2048)


@pytest.mark.parametrize(
    ("status", "why", "state", "said"),
    [
        (STOPPED << 8, "cancelled", "Cancelled", "cancelled while it ran"),
        (signal.SIGKILL, "cancelled", "Cancelled", "cancelled while it ran"),
        (STOPPED << 8, "time", "TimedOut", "more than 120 s, and was stopped. discovery.run_seconds sets"),
        (signal.SIGKILL, "closing", "Crashed", "ask for it again"),
        (OUT_OF_MEMORY << 8, "", "Crashed", "more than 2048 MiB of memory, and was ended. runner.memory_mb sets"),
        (signal.SIGKILL, "", "Crashed", "SIGKILL"),
        (signal.SIGSEGV, "", "Crashed", "SIGSEGV"),
        (signal.SIGABRT, "", "Crashed", "2048 MiB"),
        (STOPPED << 8, "", "Crashed", "stopped before its end"),
        (1 << 8, "", "Crashed", "with 1; runner.log says why"),
    ],
)
def test_the_state_says_why_and_what_to_do(status: int, why: Why, state: str, said: str) -> None:
    told = ended(status, why, LIMITS)
    assert told is not None
    assert told.name == state
    assert said in (told.message or "")


def test_a_run_that_ended_by_itself_has_told_it() -> None:
    assert ended(0, "", LIMITS) is None
    assert ended(0, "cancelled", LIMITS) is None
