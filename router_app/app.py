"""The application on one page: routes, middleware, error handlers."""

from collections.abc import Coroutine, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from modelscan.errors import ModelScanError
from modelscan.reference.app import create_reference
from modelscan.wire import SURFACES
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from router_app.admin import Admin
from router_app.auth import AdminOnly
from router_app.gate import Gated
from router_app.inference import Inference
from router_app.models import Models
from router_app.noting import Notes
from router_app.passing import PASSED, Passing
from router_app.problems import is_own, on_http_exception, on_modelscan_error, on_unexpected
from router_app.service import Service

__all__ = ["Router", "create_app"]


class Router(Starlette):
    """Starlette, but for requests to models: they go straight to their endpoint, past what they have no use for.

    Starlette's layers cost more than half as much as all that becomes of a request here (measured).
    """

    def __init__(self, direct: Mapping[str, Gated], notes: Notes, **more: Any) -> None:
        super().__init__(**more)
        self._direct = direct
        self._notes = notes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        endpoint = self._direct.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        return endpoint(scope, receive, send) if endpoint else self._not_direct(_without_slash(scope), receive, send)

    async def _not_direct(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests of callers are in the usage, whatever becomes of them."""
        endpoint = self._direct.get(scope["path"]) if scope.get("method") == "POST" else None
        if endpoint is not None:  # With a slash less it is one.
            await endpoint(scope, receive, send)
        elif scope["type"] != "http" or is_own(scope["path"]) or scope["path"].startswith("/reference/"):
            await super().__call__(scope, receive, send)
        else:
            await self._notes(super().__call__, scope, receive, send)


def _without_slash(scope: Scope) -> Scope:
    """One at the end is forgiven: few clients follow a redirect with their body and their token."""
    if scope["type"] == "http" and scope["path"].startswith("/v1/") and scope["path"].endswith("/"):
        return {**scope, "path": scope["path"].rstrip("/")}
    return scope


def create_app(service: Service, token: str) -> Router:
    """The router over `service`; `token` opens /api."""

    async def health(_: Request) -> Response:
        return JSONResponse(service.health())

    models, door = Models(service.serving), service.serving.door
    inference = {row.served_at: Inference(service.serving, row) for row in SURFACES}
    counting = Inference(service.serving, ANTHROPIC_MESSAGES, operation="count_tokens")
    inference[f"{ANTHROPIC_MESSAGES.served_at}/count_tokens"] = counting
    inference |= {f"/v1{path}": Passing(service.serving, path) for path in PASSED}
    notes = Notes(service.serving, {path: endpoint.named for path, endpoint in inference.items()})
    return Router(
        direct={path: Gated(endpoint, service.gate, notes) for path, endpoint in inference.items()},
        notes=notes,
        routes=[
            Route("/health", health),
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in inference.items()),
            Route("/v1/models", models.list_all),
            Route("/v1/models/{model:path}", models.show),
            Mount("/api", routes=Admin(service).routes(), middleware=[Middleware(AdminOnly, token=token, door=door)]),
            # The demo's provider: no key, no network, and faults on demand.
            Mount("/reference", app=create_reference(models=("echo",))),
        ],
        middleware=[Middleware(Gated, gate=service.gate)],
        exception_handlers={
            ModelScanError: on_modelscan_error,
            HTTPException: on_http_exception,
            Exception: on_unexpected,
        },
    )
