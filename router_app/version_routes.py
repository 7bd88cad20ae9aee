"""The admin API's part about versions: which there are, and which one is served or tried."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog.history import history
from modelscan.clients import activation
from modelscan.clients.registry import Registry, Served
from modelscan.errors import ServiceUnavailable
from modelscan.synthesis.telling import told_versions
from modelscan.types import CanaryTerms
from router_app.auth import actor_of
from router_app.bodies import Activate, RollBack, TryOut, read_body
from router_app.service import Service

__all__ = ["Versions", "told_registry"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Versions:
    """The endpoints below /api/versions."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._folder = service.settings.generation.path

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/versions", self.list_versions),
            ("GET", "/versions/{provider}/history", self.history),
            ("POST", "/versions/{provider}/activate", self.activate),
            ("POST", "/versions/{provider}/rollback", self.roll_back),
            ("POST", "/versions/{provider}/canary", self.try_out),
            ("DELETE", "/versions/{provider}/canary", self.stop),
        ]

    async def list_versions(self, request: Request) -> Response:
        """All, or those of `?provider=`, newest first, each with what becomes of it and what it changed."""
        told = await asyncio.to_thread(told_versions, self._database, request.query_params.get("provider"))
        return JSONResponse([one.model_dump(mode="json") for one in told])

    async def history(self, request: Request) -> Response:
        """What was done to have which version served, newest first."""
        steps = await asyncio.to_thread(history, self._database, request.path_params["provider"])
        return JSONResponse([one.model_dump(mode="json") for one in steps])

    async def activate(self, request: Request) -> Response:
        """Serve a version; answers with what this router serves then."""
        provider, asked = request.path_params["provider"], await read_body(request, Activate)
        do = partial(activation.activate, self._database, self._folder, provider, asked.version)
        return await self._done(provider, partial(do, actor=actor_of(request), why=asked.reason))

    async def roll_back(self, request: Request) -> Response:
        """Serve the version before, or the one that is named."""
        provider, asked = request.path_params["provider"], await read_body(request, RollBack)
        do = partial(activation.roll_back, self._database, self._folder, provider, asked.to)
        return await self._done(provider, partial(do, actor=actor_of(request), why=asked.reason))

    async def try_out(self, request: Request) -> Response:
        """Have a share of the requests try a version first."""
        provider, asked = request.path_params["provider"], await read_body(request, TryOut)
        settings = self._service.settings.versions
        terms = CanaryTerms(
            share=asked.share,
            margin=settings.canary_margin if asked.margin is None else asked.margin,
            requests=asked.requests or settings.canary_requests,
            minutes=settings.canary_minutes if asked.minutes is None else asked.minutes,
        )
        do = partial(activation.try_out, self._database, provider, asked.version, terms)
        return await self._done(provider, partial(do, actor=actor_of(request), why=asked.reason))

    async def stop(self, request: Request) -> Response:
        """End the trial of a version."""
        provider, why = request.path_params["provider"], request.query_params.get("reason", "")[:1000]
        return await self._done(
            provider, partial(activation.stop, self._database, provider, actor=actor_of(request), why=why)
        )

    async def _done(self, provider: str, do: Callable[[], object]) -> Response:
        await asyncio.to_thread(do)
        registry = await self._service.reload()
        if provider not in registry.served:
            raise ServiceUnavailable(f"{provider} is not served: {' '.join(registry.problems)}")
        served = told_served(registry.served[provider])
        return JSONResponse({"generation": registry.generation, "provider": provider, **served})


def told_registry(registry: Registry) -> dict[str, Any]:
    """What is served, by provider."""
    return {
        "generation": registry.generation,
        "providers": {provider: told_served(one) for provider, one in registry.served.items()},
        "problems": list(registry.problems),
    }


def told_served(one: Served) -> dict[str, Any]:
    """The version that is served, and the one on trial, if there is one."""
    version, trial = one.version, one.trial
    told: dict[str, Any] = {"version": version.version, "digest": version.digest, "sha256": version.sha256}
    if trial:
        tried = {"version": trial.version.version, "sha256": trial.version.sha256, "share": trial.canary.share}
        told["canary"] = tried
    return told
