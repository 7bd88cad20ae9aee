"""The application on one page: routes, middleware, error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from modelscan.errors import ModelScanError
from modelscan.reference.app import create_reference
from modelscan.wire import WIRE_PROTOCOLS
from router_app.admin import Admin
from router_app.auth import AdminOnly
from router_app.gate import Gated
from router_app.inference import Inference
from router_app.models import Models
from router_app.problems import on_http_exception, on_modelscan_error, on_unexpected
from router_app.service import Service

__all__ = ["create_app"]


def create_app(service: Service, token: str) -> Starlette:
    """The router over `service`; `token` opens /api."""

    async def health(_: Request) -> Response:
        return JSONResponse(service.health())

    models = Models(service.serving)
    return Starlette(
        routes=[
            Route("/health", health),
            *(
                Route(row.served_at, Inference(service.serving, row), methods=["POST"])
                for row in WIRE_PROTOCOLS
                if row.served_at
            ),
            Route("/v1/models", models.list_all),
            Route("/v1/models/{model:path}", models.show),
            Mount("/api", routes=Admin(service).routes(), middleware=[Middleware(AdminOnly, token=token)]),
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
