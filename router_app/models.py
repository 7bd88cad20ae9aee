"""GET /v1/models: what is served, in OpenAI's shape."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.clients.registry import Registry, Served
from modelscan.clients.routing import Routing
from modelscan.errors import Forbidden, NotFound
from modelscan.tokens.account import Account
from router_app.admission import permitted_plan
from router_app.door import CALLER
from router_app.serving import Serving

__all__ = ["Models"]


class Models:
    """The list, and one model of it: what the caller's token may use."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def list_all(self, request: Request) -> Response:
        """Every model as `provider/model`, and every name that a rule adds for all."""
        routing = await self._serving.routing()
        registry, account = routing.registry, self._caller(request)
        cards = [
            _card(served, model.id)
            for served in registry.served.values()
            for model in served.spec.models
            if account is None or account.allowance.fits(served.spec.provider, model.id)
        ]
        named = {card["id"] for card in cards}
        cards += [
            _alias(name, registry) for name in routing.aliases if name not in named and _leads(routing, account, name)
        ]
        return JSONResponse({"object": "list", "data": cards}, headers=_headers(registry))

    async def show(self, request: Request) -> Response:
        """One model, by any name that a chat may ask for."""
        routing = await self._serving.routing()
        registry, name = routing.registry, request.path_params["model"]
        plan = permitted_plan(routing, self._caller(request), name)
        if plan.rule:
            return JSONResponse(_alias(name, registry), headers=_headers(registry))
        route = plan.targets[0].route
        served = registry.served[route.spec.provider]
        return JSONResponse(_card(served, route.model), headers=_headers(registry))

    def _caller(self, request: Request) -> Account | None:
        account = self._serving.door.enter(request.scope["headers"])
        request.scope[CALLER] = account and account.token.id
        return account


def _leads(routing: Routing, account: Account | None, name: str) -> bool:
    """Whether the token may use a name that a rule gives; where all may be used, also one that leads nowhere now."""
    if account is None or not account.allowance.bounded:
        return True
    try:
        permitted_plan(routing, account, name)
    except (Forbidden, NotFound):
        return False
    return True


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
