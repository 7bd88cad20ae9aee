"""The reference provider's application: routes, the check of its key, and its faults."""

import hmac
import json
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from modelscan.reference import openai_chat
from modelscan.reference.faults import fault_of
from modelscan.types import Auth
from modelscan.wire.openai_chat import error_body

__all__ = ["create_reference"]


def create_reference(
    *, models: Sequence[str] = ("echo",), key: str | None = None, auth: Auth | None = None, base_path: str = "/v1"
) -> Starlette:
    """A provider that serves `models` below `base_path`; with `key`, only callers who carry it as `auth` says."""
    provider = _Reference(tuple(models), key, auth or Auth())
    base = base_path.rstrip("/")
    routes = [
        Route(f"{base}/models", provider.list_models),
        Route(f"{base}/models/{{model:path}}", provider.show_model),
        Route(f"{base}/chat/completions", provider.chat, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: _no_such_path, 405: _no_such_path})


class _Reference:
    def __init__(self, models: tuple[str, ...], key: str | None, auth: Auth) -> None:
        self._models = models
        self._key = key
        self._auth = auth

    async def list_models(self, request: Request) -> Response:
        if refused := self._refused(request) or await self._fault(request, {}):
            return refused
        return JSONResponse({"object": "list", "data": [openai_chat.model_card(model) for model in self._models]})

    async def show_model(self, request: Request) -> Response:
        if refused := self._refused(request) or await self._fault(request, {}):
            return refused
        model = request.path_params["model"]
        return JSONResponse(openai_chat.model_card(model)) if model in self._models else _unknown_model(model)

    async def chat(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        try:
            asked = json.loads(await request.body())
        except ValueError:
            return _error(400, "The body is not JSON.", "invalid_json")
        if not isinstance(asked, dict) or not isinstance(asked.get("model"), str):
            return _error(400, "You must provide a model parameter.", "missing_required_parameter", "model")
        if not openai_chat.has_messages(asked):
            return _error(400, "'messages' must be a list of messages.", "missing_required_parameter", "messages")
        if asked["model"] not in self._models:
            return _unknown_model(asked["model"])
        fault = fault_of(request.headers, asked)
        return await fault.response() or openai_chat.answer(asked, fault)

    async def _fault(self, request: Request, asked: dict[str, Any]) -> Response | None:
        return await fault_of(request.headers, asked).response()

    def _refused(self, request: Request) -> Response | None:
        if self._key is None or self._auth.kind == "none":
            return None
        expected = f"{self._auth.scheme} {self._key}".strip()
        given = request.headers.get(self._auth.header, "")
        if hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            return None
        return _error(401, "Incorrect API key provided.", "invalid_api_key")


def _unknown_model(model: str) -> Response:
    return _error(404, f"The model {model!r} does not exist.", "model_not_found", "model")


def _error(status: int, message: str, code: str, param: str | None = None) -> Response:
    return JSONResponse(error_body(status, message, code=code, param=param), status)


async def _no_such_path(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return _error(status, f"Unknown request: {request.method} {request.url.path}", "unknown_url")
