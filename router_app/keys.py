"""The admin API's part about keys."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog import keys as table
from router_app.bodies import AddKey, RotateMaster, read_body
from router_app.service import Service

__all__ = ["Keys"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Keys:
    """The endpoints below /api/keys."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/keys", self.list_keys),
            ("POST", "/keys/add", self.add),
            ("POST", "/keys/rotate-master", self.rotate_master),
        ]

    async def list_keys(self, request: Request) -> Response:
        rows = await asyncio.to_thread(table.list_keys, self._service.database, request.query_params.get("provider"))
        return JSONResponse([row.model_dump(mode="json") for row in rows])

    async def add(self, request: Request) -> Response:
        asked = await read_body(request, AddKey)
        async with self._service.keyring() as keyring:
            key = await keyring.add(asked.provider, asked.api_key, label=asked.label)
        return JSONResponse(key.model_dump(mode="json"), 201)

    async def rotate_master(self, request: Request) -> Response:
        asked = await read_body(request, RotateMaster)
        async with self._service.keyring() as keyring:
            done = await keyring.rotate_master(asked.new_key)
        return JSONResponse(done.model_dump(mode="json"))
