"""Answers /health from the first moment, and lets all else wait until the application behind it is there."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from modelscan import __version__
from modelscan.errors import ServiceUnavailable
from router_app.problems import answer_for

__all__ = ["Doorway"]


class Doorway:
    """Importing the application takes most of a second (DuckDB, httpx2); the port is answered before."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._app: ASGIApp | None = None
        self._there = asyncio.Event()

    def lead_to(self, app: ASGIApp) -> None:
        """From now on, `app` answers, also those who wait."""
        self._app = app
        self._there.set()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return (self._app or self._wait)(scope, receive, send)

    async def _wait(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/health":
            await JSONResponse(_STARTING)(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._there.wait()
        except TimeoutError:
            error = ServiceUnavailable("The service is starting.", hint="Try again in a moment.")
            await answer_for(scope["path"], error, scope["headers"])(scope, receive, send)
            return
        assert self._app is not None
        await self._app(scope, receive, send)


_STARTING: dict[str, Any] = {"status": "starting", "version": __version__, "generation": None, "parts": {}}
