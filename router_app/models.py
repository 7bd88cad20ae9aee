"""GET /v1/models: what is served, in OpenAI's shape."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.clients.registry import Registry, Served
from router_app.serving import Serving

__all__ = ["Models"]


class Models:
    """The list, and one model of it."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def list_all(self, _: Request) -> Response:
        """Every model as `provider/model`."""
        registry = await self._serving.registry()
        cards = [_card(served, model.id) for served in registry.served.values() for model in served.spec.models]
        return JSONResponse({"object": "list", "data": cards}, headers=_headers(registry))

    async def show(self, request: Request) -> Response:
        """One model, by any name that a chat may ask for."""
        registry = await self._serving.registry()
        route = registry.resolve(request.path_params["model"])
        served = registry.served[route.spec.provider]
        return JSONResponse(_card(served, route.model), headers=_headers(registry))


def _card(served: Served, model: str) -> dict[str, Any]:
    return {
        "id": f"{served.spec.provider}/{model}",
        "object": "model",
        "created": int(served.version.published_at.timestamp()),
        "owned_by": served.spec.provider,
    }


def _headers(registry: Registry) -> dict[str, str]:
    return {"x-modelscan-generation": str(registry.generation)}
