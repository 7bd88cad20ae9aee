"""Executes one flow run in this process, and ends it where it is told to."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.worker import EventsWorker
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow_async, run_flow_sync
from prefect.logging.handlers import APILogWorker
from pydantic import SecretStr

__all__ = ["END", "MASTER", "OUT_OF_MEMORY", "STOPPED", "execute"]

END, MASTER = b"end", b"master "
"""What a run is told, a line each: to end now; which master key opens the stored keys from now on."""
OUT_OF_MEMORY, STOPPED = 77, 78
"""Exit codes: it met its limit; it was told to end, or nobody is there any more who could tell it."""
_DRAIN_SECONDS = 5.0
_log = logging.getLogger(__name__)


def execute(flow: Flow[..., Any], run: FlowRun, line: int, take: Callable[[SecretStr], None]) -> int:
    """Execute it; the code to exit with. How it ends is known to Prefect by then, unless the code is not 0.

    line: a descriptor that says END and MASTER; what comes after the latter is given to `take`.
    """
    try:
        code = asyncio.run(_executed(flow, run, line, take))
    except MemoryError:
        code = OUT_OF_MEMORY
    _drain()
    return code


async def _executed(flow: Flow[..., Any], run: FlowRun, line: int, take: Callable[[SecretStr], None]) -> int:
    running = asyncio.create_task(_run(flow, run))
    heard = _Line(line, running, take)
    asyncio.get_running_loop().add_reader(line, heard.read)
    try:
        state = await running
    except asyncio.CancelledError:
        return STOPPED
    except Pause:
        _log.info("%s waits for approval", run.name)
        return 0
    except Abort as error:
        _log.info("%s is not executed: %s", run.name, error)
        return 0
    finally:
        asyncio.get_running_loop().remove_reader(line)
    return OUT_OF_MEMORY if state and await _lacked_memory(state) else 0


async def _run(flow: Flow[..., Any], run: FlowRun) -> State[Any] | None:
    if flow.isasync:
        return await run_flow_async(flow, run, run.parameters, return_type="state")
    return await asyncio.to_thread(run_flow_sync, flow, run, run.parameters, return_type="state")


class _Line:
    """What this run is told while it goes on."""

    def __init__(self, descriptor: int, running: "asyncio.Task[Any]", take: Callable[[SecretStr], None]) -> None:
        self._descriptor = descriptor
        self._running = running
        self._take = take
        self._begun = b""

    def read(self) -> None:
        """Heed what is there; that nobody holds the other end any more means the end, too."""
        data = os.read(self._descriptor, 4096)
        *lines, self._begun = (self._begun + data).split(b"\n")
        for said in lines:
            if said.startswith(MASTER):
                self._take(SecretStr(said.removeprefix(MASTER).decode()))
        if END in lines or not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._running.cancel()


async def _lacked_memory(state: State[Any]) -> bool:
    """Whether a lack of memory ended it, be it wrapped in other errors."""
    if not (state.is_failed() or state.is_crashed()):
        return False
    error = await state.aresult(raise_on_failure=False)
    while isinstance(error, BaseException):
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _drain() -> None:
    """Have what was logged and told arrive at Prefect's API before this process is gone."""
    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=_DRAIN_SECONDS)
