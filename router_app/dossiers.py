"""What is known and what was decided, over the admin API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.catalog import decisions, records
from modelscan.errors import ProviderNotFound
from modelscan.synthesis.decisions import decide, undo
from modelscan.synthesis.dossier import PRICES, conflicts, dossier_of
from modelscan.types import Claim, Decision, Identifier
from router_app.bodies import Decide, read_body
from router_app.service import Service

__all__ = ["Dossiers"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Dossiers:
    """The endpoints on dossiers, conflicts and decisions."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/providers/{id}/dossier", self.dossier),
            ("GET", "/conflicts", self.list_conflicts),
            ("GET", "/decisions", self.list_decisions),
            ("POST", "/decisions", self.decide),
            ("DELETE", "/decisions/{id}", self.undo),
        ]

    async def dossier(self, request: Request) -> Response:
        """Of the provider, or with `?model=` of one of its models: each field with the claim that counts."""
        provider, model = request.path_params["id"], request.query_params.get("model")
        subject = Identifier.parse(f"{provider}/{model}" if model else provider)
        found = dossier_of(subject, *await asyncio.to_thread(self._told, subject.provider))
        if not found.fields and not found.models:
            raise ProviderNotFound(f"Nothing is known of {subject}.", hint=f"Add it: modelscan add {subject}")
        return JSONResponse(found.model_dump(mode="json"))

    async def list_conflicts(self, request: Request) -> Response:
        told = await asyncio.to_thread(self._told, request.query_params.get("provider"))
        return _rows(conflicts(*told, settled=request.query_params.get("all") == "true"))

    async def list_decisions(self, request: Request) -> Response:
        asked = request.query_params.get("provider")
        return _rows(await asyncio.to_thread(decisions.list_decisions, self._database, asked))

    async def decide(self, request: Request) -> Response:
        asked = await read_body(request, Decide)
        made = await asyncio.to_thread(decide, self._database, asked.kind, asked.subject, asked.field, asked.given)
        await self._counts(made)
        return JSONResponse(made.model_dump(mode="json"), 201)

    async def undo(self, request: Request) -> Response:
        undone = await asyncio.to_thread(undo, self._database, request.path_params["id"])
        await self._counts(undone)
        return JSONResponse(undone.model_dump(mode="json"))

    async def _counts(self, decision: Decision) -> None:
        if decision.field in PRICES:
            await self._service.reload_prices()

    def _told(self, provider: str | None) -> tuple[tuple[Claim, ...], tuple[Decision, ...]]:
        return records.claims(self._database, provider), decisions.list_decisions(self._database, provider)


def _rows(rows: Iterable[BaseModel]) -> Response:
    return JSONResponse([row.model_dump(mode="json") for row in rows])
