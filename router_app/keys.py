"""The admin API's part about keys: the list, why one is chosen, and what the operator does with them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog import keys as table
from modelscan.errors import InvalidInput, ProviderNotFound
from modelscan.keys.explain import explained
from modelscan.types import ApiKey
from router_app.bodies import AddKey, LimitKey, NamedKey, RotateKey, RotateMaster, TryKey, read_body
from router_app.service import Service
from router_app.trying import try_key

__all__ = ["Keys"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Keys:
    """The endpoints below /api/keys. None of them ever answers with a key, only with what may be seen of it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/keys", self.list_keys),
            ("DELETE", "/keys", self.delete),
            ("GET", "/keys/explain", self.explain),
            ("POST", "/keys/add", self.add),
            ("POST", "/keys/disable", self.disable),
            ("POST", "/keys/enable", self.enable),
            ("POST", "/keys/limit", self.limit),
            ("POST", "/keys/rotate", self.rotate),
            ("POST", "/keys/rotate-master", self.rotate_master),
            ("POST", "/keys/test", self.test),
        ]

    async def list_keys(self, request: Request) -> Response:
        return _many(await self._stored(request.query_params.get("provider")))

    async def explain(self, request: Request) -> Response:
        """How each key of a provider stands now, in the order in which they would be chosen."""
        provider = _query(request, "provider")
        return _many(explained(self._service.serving.pool, provider, await self._stored(provider)))

    async def add(self, request: Request) -> Response:
        asked = await read_body(request, AddKey)
        async with self._service.keyring() as keyring:
            return _one(await keyring.add(asked.provider, asked.api_key, label=asked.label), 201)

    async def disable(self, request: Request) -> Response:
        asked = await read_body(request, NamedKey)
        async with self._service.keyring() as keyring:
            return _one(await keyring.disable(asked.provider, asked.key))

    async def enable(self, request: Request) -> Response:
        asked = await read_body(request, NamedKey)
        async with self._service.keyring() as keyring:
            return _one(await keyring.enable(asked.provider, asked.key))

    async def limit(self, request: Request) -> Response:
        asked = await read_body(request, LimitKey)
        async with self._service.keyring() as keyring:
            return _one(await keyring.limit(asked.provider, asked.key, asked.named))

    async def rotate(self, request: Request) -> Response:
        asked = await read_body(request, RotateKey)
        async with self._service.keyring() as keyring:
            return _one(await keyring.rotate(asked.provider, asked.key, asked.api_key))

    async def rotate_master(self, request: Request) -> Response:
        asked = await read_body(request, RotateMaster)
        async with self._service.keyring() as keyring:
            return _one(await keyring.rotate_master(asked.new_key))

    async def delete(self, request: Request) -> Response:
        provider, key = _query(request, "provider"), _query(request, "key")
        async with self._service.keyring() as keyring:
            return _one(await keyring.delete(provider, key))

    async def test(self, request: Request) -> Response:
        """What a provider says of a key, which need not be active; nobody waits for it."""
        asked = await read_body(request, TryKey)
        registry = await self._service.serving.registry()
        if (served := registry.served.get(asked.provider)) is None:
            raise ProviderNotFound(f"{asked.provider} is not served.", hint=f"modelscan add {asked.provider}")
        async with self._service.keyring() as keyring:
            usable = await keyring.opened(asked.provider, asked.key)
        route = registry.resolve(f"{asked.provider}/{served.spec.test_model}")
        return _one(await try_key(self._service.serving.upstream, route, usable, chat=asked.chat))

    async def _stored(self, provider: str | None) -> tuple[ApiKey, ...]:
        return await asyncio.to_thread(table.list_keys, self._service.database, provider)


def _query(request: Request, name: str) -> str:
    if not (given := request.query_params.get(name)):
        raise InvalidInput(f"?{name}= is missing.", hint="docs/api.md says what the request holds.")
    return given


def _one(row: BaseModel, status: int = 200) -> Response:
    return JSONResponse(row.model_dump(mode="json"), status)


def _many(rows: Sequence[BaseModel]) -> Response:
    return JSONResponse([row.model_dump(mode="json") for row in rows])
