"""Processes beside the router, with real ones."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router_app import children
from router_app.children import Child

TALKING = """
import os, sys
print('{"state": "ready", "pid": %d}' % os.getpid(), flush=True)
print("no JSON", flush=True)
print("[1]", flush=True)
for line in sys.stdin:
    print('{"heard": "%s"}' % line.strip(), flush=True)
"""
DYING = "import sys; print('{}'); sys.stderr.write('the reason'); sys.exit(3)"
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"state": "ready"}', flush=True)
while True: time.sleep(0.05)
"""


class Heard:
    """What a child's states and lines were."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.lines: list[dict[str, Any]] = []

    def state(self, _name: str, state: str, detail: str) -> None:
        self.states.append((state, detail))

    def child(self, script: str, folder: Path) -> Child:
        return Child(
            "kid",
            [sys.executable, "-c", script],
            dict(os.environ),
            folder / "logs" / "kid.log",
            on_state=self.state,
            on_line=self.lines.append,
        )


async def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_it_is_heard_and_told(tmp_path: Path) -> None:
    async def story() -> None:
        heard = Heard()
        child = heard.child(TALKING, tmp_path)
        child.tell("nobody is there yet")
        child.start()
        await until(lambda: len(heard.lines) == 1)
        child.tell("wake")
        await until(lambda: len(heard.lines) == 2)
        assert heard.lines[1] == {"heard": "wake"}
        await child.stop()
        assert heard.states == [("starting", ""), ("down", "stopped")]
        with pytest.raises(ProcessLookupError):
            os.kill(heard.lines[0]["pid"], 0)

    asyncio.run(story())


def test_one_that_dies_is_started_again_and_its_last_words_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_BACKOFF_SECONDS", (0.01,))

    async def story() -> None:
        heard = Heard()
        child = heard.child(DYING, tmp_path)
        child.start()
        await until(lambda: len(heard.lines) >= 2)
        await child.stop()
        assert ("down", "ended with 3; again in 0.01 s; see kid.log") in heard.states

    asyncio.run(story())
    log = tmp_path / "logs" / "kid.log"
    assert log.read_text().startswith("the reason")
    assert log.stat().st_mode & 0o777 == 0o600


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_STOP_SECONDS", 0.1)

    async def story() -> None:
        heard = Heard()
        child = heard.child(DEAF, tmp_path)
        child.start()
        await until(lambda: bool(heard.lines))
        await child.stop()
        assert heard.states[-1] == ("down", "stopped")

    asyncio.run(story())


def test_stopping_what_never_started_is_nothing(tmp_path: Path) -> None:
    asyncio.run(Heard().child(TALKING, tmp_path).stop())


def test_a_line_without_bounds_is_passed_over(tmp_path: Path) -> None:
    async def story() -> None:
        heard = Heard()
        child = heard.child("print('x' * 1_000_000); print('{\"after\": 1}', flush=True); input()", tmp_path)
        child.start()
        await until(lambda: heard.lines == [{"after": 1}])
        await child.stop()

    asyncio.run(story())


def test_what_cannot_be_started_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(children, "_BACKOFF_SECONDS", (0.01,))
        heard = Heard()
        child = heard.child("", tmp_path)
        child._argv = [str(tmp_path / "none")]
        child.start()
        await until(lambda: len(heard.states) > 4)
        assert ("down", "could not be started: No such file or directory; again in 0.01 s; see kid.log") in heard.states
        await child.stop()

    asyncio.run(story())
