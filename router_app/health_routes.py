"""The admin API's part about how providers are doing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog import health, versions
from router_app.service import Service

__all__ = ["HealthRoutes"]

Endpoint = Callable[[Request], Awaitable[Response]]


class HealthRoutes:
    """The endpoints below /api/health."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/health/providers", self.list_providers),
            ("GET", "/health/providers/{provider}", self.show),
            ("GET", "/health/history", self.list_changes),
        ]

    async def list_providers(self, _: Request) -> Response:
        """All that are served."""
        return _rows(self._service.serving.board.standings())

    async def show(self, request: Request) -> Response:
        """One of them; ProviderNotFound names the nearest."""
        provider = request.path_params["provider"]
        found = self._service.serving.board.standing(provider)
        if found is None:
            await asyncio.to_thread(versions.active_of, self._service.database, provider)
            return JSONResponse({"provider": provider, "state": "unknown", "since": None, "evidence": None})
        return JSONResponse(found.model_dump(mode="json"))

    async def list_changes(self, request: Request) -> Response:
        """What changed, of `?provider=` or of all, newest first."""
        provider = request.query_params.get("provider")
        return _rows(await asyncio.to_thread(health.history, self._service.database, provider))


def _rows(rows: Iterable[BaseModel]) -> Response:
    return JSONResponse([row.model_dump(mode="json") for row in rows])
