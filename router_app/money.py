"""Prices, and usage priced anew, over the admin API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog import prices, reprice
from modelscan.types import Identifier, RepriceScope
from router_app.bodies import PriceAnew, read_body
from router_app.service import Service

__all__ = ["Money"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Money:
    """The endpoints on what requests cost."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/prices", self.list_prices),
            ("POST", "/usage/reprice", self.price_anew),
            ("GET", "/usage/audits", self.list_audits),
        ]

    async def list_prices(self, request: Request) -> Response:
        """What models cost now, of all or of `?subject=` a provider; of a model all that it ever cost."""
        subject = request.query_params.get("subject")
        asked = Identifier.parse(subject) if subject else None
        if asked and asked.model:
            return _rows(await asyncio.to_thread(prices.versions, self._database, asked.provider, asked.model))
        return _rows(await asyncio.to_thread(prices.newest, self._database, asked.provider if asked else None))

    async def price_anew(self, request: Request) -> Response:
        """The difference, or with `apply` what was done."""
        asked = await read_body(request, PriceAnew)
        scope = RepriceScope(**asked.model_dump(exclude={"apply"}))
        await self._service.flush()  # What was answered a moment ago counts, too.
        if asked.apply:
            done = await asyncio.to_thread(reprice.apply, self._database, scope, "api")
        else:
            done = await asyncio.to_thread(reprice.preview, self._database, scope)
        return JSONResponse(done.model_dump(mode="json"))

    async def list_audits(self, _: Request) -> Response:
        return _rows(await asyncio.to_thread(reprice.audits, self._database))


def _rows(rows: Iterable[BaseModel]) -> Response:
    return JSONResponse([row.model_dump(mode="json") for row in rows])
