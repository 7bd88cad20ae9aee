"""A version on trial: its share of requests asks it first; where it fails, the one that is served answers."""

import random

from modelscan.clients.registry import Route
from modelscan.errors import ModelScanError, NoUsableKey, RateLimited, ServiceUnavailable
from router_app.attempts import Attempts
from router_app.exchange import Exchange
from router_app.outgoing import Outgoing, Prepare
from router_app.serving import Serving
from router_app.upstream import UpstreamAnswer

__all__ = ["try_first"]

_TOO_MANY = 429
_NOT_ITS_FAULT = (NoUsableKey, RateLimited, ServiceUnavailable)
_chance = random.random


async def try_first(
    serving: Serving, exchange: Exchange, route: Route, prepare: Prepare
) -> tuple[UpstreamAnswer, Outgoing] | None:
    """A good answer by the version on trial; None where it was not this request's turn, or it failed.

    That it failed is noted for the usage row, by which it is judged, unless the provider had enough of requests.
    """
    trial = route.trial
    if trial is None or _chance() >= trial.share or serving.circuits.open_for(route.spec.provider):
        return None
    exchange.turn_to(trial.route)
    try:
        outgoing = prepare(trial.route)
        found = await Attempts(serving, exchange, trial.route, 0, trial=True).answer(
            outgoing.url, outgoing.headers, outgoing.body
        )
    except ModelScanError as error:
        failed = not isinstance(error, _NOT_ITS_FAULT)
    else:
        if found.status < 300:
            return found, outgoing
        await found.aclose()
        failed = found.status != _TOO_MANY
    exchange.turn_to(route)
    exchange.failed_version = trial.route.version if failed else None
    return None
