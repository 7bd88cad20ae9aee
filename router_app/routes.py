"""The admin API's part about routing: the rules, and what a name leads to now."""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modelscan.clients.routing import Candidate, Plan
from modelscan.errors import InvalidInput
from modelscan.settings import RoutingRule
from router_app.bodies import read_body
from router_app.service import Service

__all__ = ["Routes"]

Endpoint = Callable[[Request], Awaitable[Response]]


class Routes:
    """The endpoints below /api/routes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method and path of each."""
        return [
            ("GET", "/routes", self.list_rules),
            ("PUT", "/routes", self.save),
            ("DELETE", "/routes", self.delete),
            ("GET", "/routes/explain", self.explain),
        ]

    async def list_rules(self, _: Request) -> Response:
        """All that count, in the order in which they are tried."""
        stored = {(rule.match, rule.client) for rule in self._service.stored_rules}
        routing = await self._service.serving.routing()
        return JSONResponse(
            [
                {**rule.model_dump(mode="json"), "origin": "api" if (rule.match, rule.client) in stored else "config"}
                for rule in routing.rules
            ]
        )

    async def save(self, request: Request) -> Response:
        """Set a rule, in place of the one for the same name and client; it counts from the next request on."""
        rule = await read_body(request, RoutingRule)
        await self._service.save_rule(rule)
        return JSONResponse({**rule.model_dump(mode="json"), "origin": "api"})

    async def delete(self, request: Request) -> Response:
        """Remove one that was set here, and return it."""
        match = request.query_params.get("match", "")
        rule = await self._service.delete_rule(match, request.query_params.get("client", "*"))
        return JSONResponse(rule.model_dump(mode="json"))

    async def explain(self, request: Request) -> Response:
        """Who would be asked for a model now, in which order, and how each of them does."""
        name, client = request.query_params.get("model", ""), request.query_params.get("client", "")
        if not name:
            raise InvalidInput("No model is named.", hint="GET /api/routes/explain?model=NAME")
        serving = self._service.serving
        plan = (await serving.routing()).plan(name, client)
        return JSONResponse(
            {
                "model": name,
                "client": client,
                "rule": plan.rule.model_dump(mode="json") if plan.rule else None,
                "candidates": [self._state(candidate, plan) for candidate in serving.balancer.order(plan)],
                "missing": list(plan.missing),
            }
        )

    def _state(self, candidate: Candidate, plan: Plan) -> dict[str, Any]:
        serving, provider = self._service.serving, candidate.route.spec.provider
        load = serving.balancer.load(candidate)
        waiting = serving.pool.waiting(provider)
        seconds = waiting.seconds if waiting else 0.0
        price = serving.balancer.price(candidate)
        health = serving.board.standing(provider)
        return {
            "model": candidate.name,
            "role": "target" if candidate in plan.targets else "fallback",
            "protocol": candidate.route.spec.protocol,
            "weight": candidate.weight,
            "price": price.model_dump(mode="json") if price else None,
            "running": load.running,
            "requests": load.requests,
            "first_byte_ms": round(load.latency * 1000, 3) if 0 < load.latency < inf else None,
            "health": health.state if health else "unknown",
            "circuit_open_seconds": round(serving.circuits.open_for(provider), 1),
            "keys_rest_seconds": round(seconds, 1) if seconds < inf else None,
        }
