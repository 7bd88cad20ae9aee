"""Answers /health from the first moment, and lets all else wait until the application behind it is there."""

import asyncio
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
        self._app: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()

    def lead_to(self, app: ASGIApp) -> None:
        """From now on, `app` answers, also those who wait."""
        self._app.set_result(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._app.done() and scope["path"] == "/health":
            await JSONResponse(_STARTING)(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                app = await asyncio.shield(self._app)
        except TimeoutError:
            error = ServiceUnavailable("The service is starting.", hint="Try again in a moment.")
            await answer_for(scope["path"], error)(scope, receive, send)
            return
        await app(scope, receive, send)


_STARTING: dict[str, Any] = {"status": "starting", "version": __version__, "generation": None, "parts": {}}
