"""What a sandboxed run tells through its pipe: one JSON line a test, read until its end or its deadline."""

import io
import json
import os
import select
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from modelscan.redaction import Redactor
from modelscan.types import Frozen

__all__ = ["Outcome", "Results", "SandboxRun", "StartupFailed"]

_DETAIL_LENGTH = 2000
_DRAIN_SECONDS = 5.0


class StartupFailed(Exception):
    """The zygote ended, or did not answer, before it ran the tests."""


class Outcome(Frozen):
    """What one test function showed."""

    test: str
    outcome: Literal["passed", "failed", "skipped"]
    detail: str
    """For a failure or a skip, the words of its exception."""
    status: int | None
    """The HTTP status that the exception carried."""
    seconds: float


class SandboxRun(Frozen):
    """What one run showed. A test that is not in `outcomes` was not reported, and `problem` says why."""

    outcomes: dict[str, Outcome]
    """By the test function's name."""
    problem: str
    """Empty when pytest ran to its end, whatever the tests showed."""
    seconds: float


class Results:
    """Reads the lines of one run from `pipe`; `secrets` are hidden in all that it hands out."""

    def __init__(self, pipe: io.FileIO, secrets: Sequence[str]) -> None:
        self._pipe = pipe
        self._redact = Redactor(*secrets)
        self._buffer = b""
        self._outcomes: dict[str, Outcome] = {}
        self._problem = ""
        self._ended = False
        self._crashed = False
        self.pid: int | None = None

    def await_pid(self, seconds: float) -> bool:
        """Whether a child was started within `seconds`."""
        deadline = monotonic() + seconds
        while self.pid is None:
            if not self._read(deadline):
                return False
        return True

    def follow(self, seconds: float) -> None:
        """Read until the run ended, by itself or after `seconds`."""
        deadline = monotonic() + seconds
        while not self._ended:
            if not self._read(deadline):
                self._crashed = monotonic() < deadline
                if not self._crashed:
                    self._problem = f"timed out after {seconds:g} s"
                return

    def drain(self) -> None:
        """Wait until the killed run has let go of the pipe. What it still says came too late to count."""
        deadline = monotonic() + _DRAIN_SECONDS
        while self._chunk(deadline):
            pass

    def run(self, folder: Path, *, seconds: float) -> SandboxRun:
        """What was seen; for a run that broke off, with the end of what it printed to `folder`/output.log."""
        problem = self._problem
        if self._crashed and not problem:
            problem = (
                f"the run broke off before its end. {self._shown(_tail(folder / 'output.log'), last=True)}".strip()
            )
        return SandboxRun(outcomes=self._outcomes, problem=problem, seconds=seconds)

    def _read(self, deadline: float) -> bool:
        """Take in what is there; False at the end of the pipe or past `deadline`."""
        chunk = self._chunk(deadline)
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(chunk)

    def _chunk(self, deadline: float) -> bytes:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN | select.POLLHUP)
        left = deadline - monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return b""
        return os.read(self._pipe.fileno(), 65_536)

    def _take(self, line: dict[str, Any]) -> None:
        if "pid" in line:
            self.pid = line["pid"]
        elif "end" in line:
            self._ended = True
        elif "problem" in line:
            self._problem = self._shown(line["problem"])
        else:
            outcome = Outcome.model_validate(line | {"detail": self._shown(line["detail"])})
            self._outcomes[outcome.test] = outcome

    def _shown(self, text: str, *, last: bool = False) -> str:
        """`text` without secrets, then shortened: the other way round, a piece of a secret could remain at the cut."""
        text = self._redact(text)
        if len(text) <= _DETAIL_LENGTH:
            return text.strip()
        return f"… {text[-_DETAIL_LENGTH:]}" if last else f"{text[:_DETAIL_LENGTH]} …"


def _tail(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
