"""The admin API: each endpoint parses, calls one function, and answers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from pydantic import BaseModel, SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from modelscan.catalog import providers, versions
from modelscan.catalog.stats import stats
from modelscan.clients.keeping import source_of
from modelscan.errors import error_from_code
from modelscan.types import Discovery, Identifier
from modelscan.usage.asking import asked_stats
from router_app.auth import actor_of
from router_app.bodies import AddProvider, Discover, Generate, Judge, has_body, read_body, wait_seconds
from router_app.changes import Changes
from router_app.dossiers import Dossiers
from router_app.health_routes import HealthRoutes
from router_app.keys import Keys
from router_app.money import Money
from router_app.routes import Routes
from router_app.service import Service
from router_app.token_routes import TokenRoutes
from router_app.version_routes import Versions, told_registry

__all__ = ["Admin"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Admin:
    """The endpoints below /api."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database

    def routes(self) -> list[Route]:
        """Path and method of each."""
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/providers", self.list_providers),
            ("POST", "/providers/add", self.add_provider),
            *Dossiers(self._service).table(),
            *Changes(self._service.deciding, self._service.change_feed).table(),
            *Routes(self._service).table(),
            *Keys(self._service).table(),
            *HealthRoutes(self._service).table(),
            *Money(self._service).table(),
            *TokenRoutes(self._service.tokens).table(),
            *Versions(self._service).table(),
            *self._service.refreshing.table(),
            ("POST", "/discover", self.discover),
            ("GET", "/discoveries", self.list_discoveries),
            ("GET", "/discoveries/{id}", self.show_discovery),
            ("POST", "/discoveries/{id}/approve", self.approve),
            ("POST", "/discoveries/{id}/refuse", self.refuse),
            ("GET", "/sdks", self.list_sdks),
            ("GET", "/sdks/{provider}", self.download_sdk),
            ("POST", "/sdks/generate", self.generate),
            ("GET", "/stats", self.stats),
            ("POST", "/reload", self.reload),
            ("POST", "/restart", self.restart),
        ]
        return [Route(path, self._once_open(endpoint), methods=[method]) for method, path, endpoint in table]

    def _once_open(self, endpoint: Endpoint) -> Endpoint:
        async def opened(request: Request) -> Response:
            await self._service.opened()
            return await endpoint(request)

        return opened

    async def list_providers(self, _: Request) -> Response:
        return _rows(await asyncio.to_thread(providers.all_providers, self._database))

    async def list_sdks(self, _: Request) -> Response:
        return _rows(await asyncio.to_thread(versions.active, self._database))

    async def download_sdk(self, request: Request) -> Response:
        """The client that is served, as a file: the bytes that were proved, or a refusal."""
        version = await asyncio.to_thread(versions.active_of, self._database, request.path_params["provider"])
        headers = {
            "etag": f'"{version.sha256}"',
            "content-disposition": f'attachment; filename="{version.path}"',
            "x-modelscan-version": str(version.version),
            "x-modelscan-level": version.level,
        }
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        folder = self._service.settings.generation.path
        source = await asyncio.to_thread(source_of, self._database, folder, version)
        return Response(source.client, media_type="text/x-python", headers=headers)

    async def list_discoveries(self, _: Request) -> Response:
        return _rows(await self._service.discoveries.recent())

    async def stats(self, request: Request) -> Response:
        asked = asked_stats(request.query_params.multi_items())
        await self._service.flush()  # What was answered a moment ago counts, too.
        return _rows(await asyncio.to_thread(stats, self._database, asked))

    async def show_discovery(self, request: Request) -> Response:
        """The discovery, however it ended: it was asked for as a thing, not as an outcome."""
        seconds = wait_seconds(request) or 0.0
        found = await self._service.discoveries.follow(request.path_params["id"], seconds, self._service.gate.closed)
        return JSONResponse(found.model_dump(mode="json"))

    async def approve(self, request: Request) -> Response:
        return await self._judge(request, approved=True)

    async def refuse(self, request: Request) -> Response:
        return await self._judge(request, approved=False)

    async def add_provider(self, request: Request) -> Response:
        asked = await read_body(request, AddProvider)
        return await self._discover(request, asked, asked.api_key)

    async def discover(self, request: Request) -> Response:
        return await self._discover(request, await read_body(request, Discover))

    async def generate(self, request: Request) -> Response:
        wait = wait_seconds(request)
        asked = await read_body(request, Generate)
        return await self._outcome(await self._service.discoveries.again(asked.provider), wait)

    async def reload(self, _: Request) -> Response:
        return JSONResponse(told_registry(await self._service.reload()))

    async def restart(self, _: Request) -> Response:
        self._service.restart()
        return JSONResponse({"status": "restarting"}, 202, {"retry-after": "1"})

    async def _judge(self, request: Request, *, approved: bool) -> Response:
        """The discovery as it is after the verdict; with `?wait=` once what was approved is published."""
        wait = wait_seconds(request)
        asked = await read_body(request, Judge) if has_body(request) else Judge()
        judged = await self._service.discoveries.judge(
            request.path_params["id"], approved=approved, reason=asked.reason, actor=actor_of(request)
        )
        return await self._outcome(judged, wait) if approved else JSONResponse(judged.model_dump(mode="json"))

    async def _discover(self, request: Request, asked: Discover, key: SecretStr | None = None) -> Response:
        wait = wait_seconds(request)
        identifier = Identifier.parse(asked.identifier)
        if key is not None:  # Kept before the run begins, which is never told of it.
            async with self._service.keyring() as keyring:
                await keyring.add(identifier.provider, key, asked.base_url)
        started = await self._service.discoveries.start(identifier, asked.base_url, asked.refresh, asked.deep)
        return await self._outcome(started, wait)

    async def _outcome(self, discovery: Discovery, wait: float | None) -> Response:
        """202 and where to follow it; with `wait`, 200 once it succeeded, or the problem that ended it."""
        if wait is not None:
            discovery = await self._service.discoveries.follow(discovery.id, wait, self._service.gate.closed)
        if error := discovery.error:
            fields = {**error.fields, "discovery": discovery.id}
            raise error_from_code(error.code, error.message, error.hint, fields)
        headers = {"location": f"/api/discoveries/{discovery.id}"}
        return JSONResponse(discovery.model_dump(mode="json"), 200 if discovery.ended else 202, headers)


def _rows(rows: Iterable[BaseModel]) -> Response:
    return JSONResponse([row.model_dump(mode="json") for row in rows])
