"""The reference provider's application: routes, the check of its key, and its faults."""

import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from modelscan.reference.anthropic_messages import ANTHROPIC_SURFACE
from modelscan.reference.custom_rest import rest_surface
from modelscan.reference.faults import Fault, fault_of
from modelscan.reference.openai_chat import OPENAI_SURFACE
from modelscan.reference.surface import Missing, Surface
from modelscan.types import Auth
from modelscan.wire import WireProtocol, protocol_named

__all__ = ["create_reference"]

_SURFACES = {surface.protocol.name: surface for surface in (OPENAI_SURFACE, ANTHROPIC_SURFACE)}


def _surface(protocol: WireProtocol) -> Surface:
    return rest_surface(protocol, protocol.rest) if protocol.rest else _SURFACES[protocol.name]


def create_reference(
    *,
    models: Sequence[str] = ("echo",),
    key: str | None = None,
    auth: Auth | None = None,
    base_path: str | None = None,
    protocol: str | WireProtocol = "openai_chat",
) -> Starlette:
    """A provider that serves `models` below `base_path` (by default its protocol's usual one) and speaks `protocol`.

    The protocol is given by its dialect's name, or as the row itself.

    With `key`, it serves only callers who carry it as `auth` says, by default in the protocol's own way.
    """
    surface = _surface(protocol_named(protocol) if isinstance(protocol, str) else protocol)
    provider = _Reference(tuple(models), key, auth or surface.protocol.auth, surface)
    base = (surface.protocol.reference_path if base_path is None else base_path).rstrip("/")
    serving = {
        "chat": provider.chat,
        "count_tokens": provider.count_tokens,
        "embeddings": provider.embed,
        "models": provider.list_models,
        "stream": provider.stream,
    }
    routes = [
        Route(
            base + endpoint.path.replace("{model}", "{model:path}"),
            serving[endpoint.operation],
            methods=[endpoint.method],
        )
        for endpoint in surface.protocol.endpoints
    ]
    routes += [
        Route(f"{base}{endpoint.path}/{{model:path}}", provider.show_model)
        for endpoint in surface.protocol.endpoints
        if endpoint.operation == "models"
    ]
    return Starlette(routes=routes, exception_handlers={404: provider.no_such_path, 405: provider.no_such_path})


class _Reference:
    def __init__(self, models: tuple[str, ...], key: str | None, auth: Auth, surface: Surface) -> None:
        self._models = models
        self._key = key
        self._auth = auth
        self._surface = surface

    async def list_models(self, request: Request) -> Response:
        if refused := self._refused(request) or await self._fault(fault_of(request.headers, {})):
            return refused
        return JSONResponse(self._surface.models(self._models))

    async def show_model(self, request: Request) -> Response:
        if refused := self._refused(request) or await self._fault(fault_of(request.headers, {})):
            return refused
        model = request.path_params["model"]
        return JSONResponse(self._surface.model(model)) if model in self._models else self._unknown_model(model)

    async def chat(self, request: Request) -> Response:
        return await self._chat(request, streamed=False)

    async def stream(self, request: Request) -> Response:
        return await self._chat(request, streamed=True)

    async def _chat(self, request: Request, *, streamed: bool) -> Response:
        async def answer(asked: dict[str, Any]) -> Response:
            fault = fault_of(request.headers, asked)
            return await self._fault(fault) or self._surface.answer(asked, fault)

        return await self._asked(request, answer, self._surface.missing, streamed=streamed)

    async def count_tokens(self, request: Request) -> Response:
        async def answer(asked: dict[str, Any]) -> Response:
            return await self._fault(fault_of(request.headers, asked)) or JSONResponse(self._surface.count(asked))

        return await self._asked(request, answer, lambda asked: self._surface.missing({"max_tokens": 1, **asked}))

    async def embed(self, request: Request) -> Response:
        async def answer(asked: dict[str, Any]) -> Response:
            assert self._surface.embed is not None
            return await self._fault(fault_of(request.headers, asked)) or JSONResponse(self._surface.embed(asked))

        def missing(asked: dict[str, Any]) -> Missing | None:
            return None if asked.get("input") else ("'input' must be a text or a list of texts.", "input")

        return await self._asked(request, answer, missing)

    async def _asked(
        self,
        request: Request,
        answer: Callable[[dict[str, Any]], Awaitable[Response]],
        missing: Callable[[dict[str, Any]], Missing | None],
        *,
        streamed: bool = False,
    ) -> Response:
        """Answer a request to a model, unless its key, its form or its model is wrong."""
        if refused := self._refused(request):
            return refused
        try:
            asked = json.loads(await request.body())
        except ValueError:
            return self._error(400, "The body is not JSON.", "invalid_json")
        if isinstance(asked, dict):
            asked = self._surface.read(asked, request.path_params.get("model"), streamed)
        if not isinstance(asked, dict) or not isinstance(asked.get("model"), str):
            return self._error(400, "You must provide a model parameter.", "missing_required_parameter", "model")
        if lacks := missing(asked):
            return self._error(400, lacks[0], "missing_required_parameter", lacks[1])
        return await answer(asked) if asked["model"] in self._models else self._unknown_model(asked["model"])

    async def _fault(self, fault: Fault) -> Response | None:
        return await fault.response(self._surface.protocol.error_body)

    def _refused(self, request: Request) -> Response | None:
        if self._key is None or self._auth.kind == "none":
            return None
        expected = f"{self._auth.scheme} {self._key}".strip()
        given = request.headers.get(self._auth.header, "")
        if hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            return None
        return self._error(401, "Incorrect API key provided.", "invalid_api_key")

    async def no_such_path(self, request: Request, error: Exception) -> Response:
        """Starlette's own 404 and 405, in the protocol's shape."""
        status = getattr(error, "status_code", 404)
        return self._error(status, f"Unknown request: {request.method} {request.url.path}", "unknown_url")

    def _unknown_model(self, model: str) -> Response:
        return self._error(404, f"The model {model!r} does not exist.", "model_not_found", "model")

    def _error(self, status: int, message: str, code: str, param: str | None = None) -> Response:
        return JSONResponse(self._surface.protocol.error_body(status, message, code=code, param=param), status)
