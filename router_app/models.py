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
        """Every model as `provider/model`, and every name that a rule adds for all."""
        routing = await self._serving.routing()
        registry = routing.registry
        cards = [_card(served, model.id) for served in registry.served.values() for model in served.spec.models]
        named = {card["id"] for card in cards}
        cards += [_alias(name, registry) for name in routing.aliases if name not in named]
        return JSONResponse({"object": "list", "data": cards}, headers=_headers(registry))

    async def show(self, request: Request) -> Response:
        """One model, by any name that a chat may ask for."""
        routing = await self._serving.routing()
        registry, name = routing.registry, request.path_params["model"]
        plan = routing.plan(name)
        if plan.rule:
            return JSONResponse(_alias(name, registry), headers=_headers(registry))
        route = plan.targets[0].route
        served = registry.served[route.spec.provider]
        return JSONResponse(_card(served, route.model), headers=_headers(registry))


def _card(served: Served, model: str) -> dict[str, Any]:
    return {
        "id": f"{served.spec.provider}/{model}",
        "object": "model",
        "created": int(served.version.published_at.timestamp()),
        "owned_by": served.spec.provider,
    }


def _alias(name: str, registry: Registry) -> dict[str, Any]:
    newest = max((one.version.published_at.timestamp() for one in registry.served.values()), default=0.0)
    return {"id": name, "object": "model", "created": int(newest), "owned_by": "modelscan"}


def _headers(registry: Registry) -> dict[str, str]:
    return {"x-modelscan-generation": str(registry.generation)}
