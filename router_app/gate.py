"""The gate that all requests pass: counts them, refuses them while the service restarts or ends, lets them finish."""

import asyncio
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from modelscan.errors import ServiceUnavailable
from router_app.cycle import TASK
from router_app.noting import Notes
from router_app.problems import CODE, answer_for

__all__ = ["Gate", "Gated"]

GateState = Literal["open", "restarting", "draining"]

# /health tells what is going on; the reference provider is asked by requests that are to finish.
_ALWAYS_OPEN = ("/health", "/reference/")
_CANCELLED_SECONDS = 2.0


class Gate:
    """Open, or closed with a reason; knows the requests inside."""

    def __init__(self) -> None:
        self.state: GateState = "open"
        self.closed = asyncio.Event()
        """For those who wait inside for something else: set while it is closed."""
        self._inside: set[asyncio.Task[object]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def running(self) -> int:
        """How many requests are inside."""
        return len(self._inside)

    def open(self) -> None:
        """Let requests in."""
        self.state = "open"
        self.closed.clear()

    async def close(self, state: Literal["restarting", "draining"], seconds: float) -> int:
        """Let no one in, give those inside `seconds` to finish, and cancel the rest; returns how many that were."""
        self.state = state
        self.closed.set()
        await self._emptied(seconds)
        rest = self.running
        self.cancel_all()
        await self._emptied(_CANCELLED_SECONDS)
        return rest

    def cancel_all(self) -> None:
        """Give those inside no more time."""
        for task in tuple(self._inside):
            task.cancel()

    def enter(self, task: "asyncio.Task[object]") -> None:
        """Raises ServiceUnavailable while closed."""
        if self.state != "open":
            raise ServiceUnavailable(f"The service is {self.state}.", hint="Try again in a moment.")
        self._inside.add(task)
        self._empty.clear()

    def leave(self, task: "asyncio.Task[object]") -> None:
        """The request of `task` has ended."""
        self._inside.discard(task)
        if not self._inside:
            self._empty.set()

    async def _emptied(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return


class Gated:
    """The application behind its gate."""

    def __init__(self, app: ASGIApp, gate: Gate, notes: Notes | None = None) -> None:
        """`notes` are taken of whom it turns away, where nobody else does."""
        self._app = app
        self._gate = gate
        self._notes = notes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS_OPEN):
            await self._app(scope, receive, send)
            return
        task = scope.get(TASK) or asyncio.current_task()
        assert task is not None
        try:
            self._gate.enter(task)
        except ServiceUnavailable as error:
            scope[CODE] = error.code
            answer = answer_for(scope["path"], error, scope["headers"])
            await (self._notes(answer, scope, receive, send) if self._notes else answer(scope, receive, send))
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._gate.leave(task)
