"""Processes beside the router: started, watched, started again when they die, and ended with it."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from router_app.parts import PartState

__all__ = ["Child"]

_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0)
_STOP_SECONDS = 10.0

OnState = Callable[[str, PartState, str], None]
OnLine = Callable[[dict[str, Any]], None]


class Child:
    """One process. Its stdin stays open as long as the router lives: end of file there tells it to end as well, so that
    not even a killed router leaves it behind. What it writes to stdout are JSON lines; stderr goes to `log`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        on_state: OnState,
        on_line: OnLine | None = None,
    ) -> None:
        self.name = name
        self._argv = argv
        self._env = dict(env)
        self._log = log
        self._on_state = on_state
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, and again whenever it ends, until `stop`."""
        self._on_state(self.name, "starting", "")
        self._task = asyncio.create_task(self._watch())

    def renew(self, env: Mapping[str, str]) -> None:
        """Give it this environment when it is started the next time."""
        self._env = dict(env)

    def tell(self, line: str) -> None:
        """Write a line to its stdin; one that is not running hears nothing."""
        if self._process and self._process.stdin and self._process.returncode is None:
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(line.encode() + b"\n")

    async def stop(self) -> None:
        """Ask it to end (SIGTERM), and kill it when it does not."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        self._on_state(self.name, "down", "stopped")

    async def _watch(self) -> None:
        for attempt in range(1_000_000):
            ended = await self._run()
            wait = _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)]
            self._on_state(self.name, "down", f"{ended}; again in {wait:g} s; see {self._log.name}")
            await asyncio.sleep(wait)
            self._on_state(self.name, "starting", "")

    async def _run(self) -> str:
        """Run it once; how it ended."""
        try:
            with self._opened() as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv,
                    env=self._env,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            return f"could not be started: {error.strerror}"
        assert self._process.stdout is not None
        while line := await _line(self._process.stdout):
            self._heard(line)
        return f"ended with {await self._process.wait()}"

    def _heard(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return
        if isinstance(said, dict) and self._on_line:
            self._on_line(said)

    def _opened(self) -> IO[bytes]:
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; one that is too long to be ours is passed over."""
    while True:
        with suppress(ValueError):
            return await stream.readline()
