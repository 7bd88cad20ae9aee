"""What a forked process may use, and that it does not outlive who forked it."""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress

__all__ = ["confine"]

_PR_SET_PDEATHSIG = 1


def confine(memory_bytes: int) -> None:
    """Make this process a group of its own, limited, that says what it prints where its errors go.

    The limit is on what it may write to (RLIMIT_DATA): its share of the warm process's memory counts, too, and what it
    only reserves does not.
    """
    with suppress(PermissionError):
        os.setpgid(0, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_DATA, memory_bytes)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)  # Standard output is the runner's, which says there what it is.


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
