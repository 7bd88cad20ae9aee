"""The candidates of one request, one after the other, until one of them answers."""

from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple

from modelscan.clients.routing import Candidate, Plan
from modelscan.errors import InvalidInput, ModelScanError, NoCandidateLeft, RateLimited, UpstreamFailed
from router_app.attempts import Attempts, wait_seconds
from router_app.balancing import Load
from router_app.exchange import Exchange
from router_app.outgoing import Outgoing, Prepare
from router_app.serving import Serving
from router_app.trial import try_first
from router_app.upstream import UpstreamAnswer

__all__ = ["Failover"]

_TOO_MANY = 429
_ANOTHER_MAY = frozenset({401, 403, 404, 408, 409, _TOO_MANY})
"""Answers below 500 that are about the provider, the key or the model, so that another candidate may do better."""

_UNPRICED = "its price is unknown, and the token has a budget in dollars"


class _Missed(NamedTuple):
    candidate: Candidate
    why: str
    error: ModelScanError | None = None
    limited: bool = False
    retry_after: float | None = None


class Failover:
    """Of one request. The candidate whose turn it is counts as busy until `leave`."""

    def __init__(self, serving: Serving, exchange: Exchange, plan: Plan, prepare: Prepare) -> None:
        self._serving = serving
        self._exchange = exchange
        self._plan = plan
        self._prepare = prepare
        self._load: Load | None = None

    def answer(self) -> Coroutine[Any, Any, tuple[UpstreamAnswer, Outgoing]]:
        """The answer to be told. Of a single candidate it is whatever that one says, and its own error is raised.

        Raises NoCandidateLeft or RateLimited, which name each candidate and why it did not answer; InvalidInput where
        none of them can be asked this.
        """
        candidates = self._serving.balancer.order(self._plan)
        if self._exchange.explained:
            self._exchange.path += self._serving.balancer.told(self._plan)
            self._exchange.path += [f"{name} left out: its price is unknown" for name in self._plan.unpriced]
        if len(candidates) == 1 and not (self._plan.missing or self._plan.unpriced):
            return self._ask(candidates[0], self._serving.settings.retries)
        return self._first_of(candidates)

    async def _first_of(self, candidates: Sequence[Candidate]) -> tuple[UpstreamAnswer, Outgoing]:
        missed: list[_Missed] = []
        for place, candidate in enumerate(candidates):
            self._exchange.fallbacks = place
            same_model_left = place + 1 < len(self._plan.targets)
            try:
                found, outgoing = await self._ask(candidate, 0 if same_model_left else self._serving.settings.retries)
            except ModelScanError as error:
                missed.append(self._missed(candidate, error))
                continue
            if found.status < 500 and found.status not in _ANOTHER_MAY:
                return found, outgoing
            wait = wait_seconds(found.headers)
            await found.aclose()
            limited = found.status == _TOO_MANY
            missed.append(_Missed(candidate, f"answered with status {found.status}", None, limited, wait))
        raise _none_left(missed, self._plan)

    def leave(self) -> None:
        """The request is over, or goes on to the next candidate."""
        if self._load is not None:
            self._load.running -= 1
            self._load = None

    async def _ask(self, candidate: Candidate, retries: int) -> tuple[UpstreamAnswer, Outgoing]:
        self.leave()
        exchange, route = self._exchange, candidate.route
        if route.trial is not None and (tried := await try_first(self._serving, exchange, route, self._prepare)):
            return tried
        exchange.turn_to(route)
        outgoing = self._prepare(route)
        load = self._load = self._serving.balancer.load(candidate)
        load.running += 1
        load.requests += 1
        before = exchange.upstream_seconds
        try:
            found = await Attempts(self._serving, exchange, route, retries).answer(
                outgoing.url, outgoing.headers, outgoing.body
            )
        except ModelScanError as error:
            if isinstance(error, UpstreamFailed):
                self._serving.balancer.missed(load)
            else:  # It was not asked; what an attempt met is noted there.
                exchange.passed_by(f"skipped {error.code}")
            raise
        if 300 <= found.status < 400 or found.status >= 600:
            await found.aclose()
            what = "a redirect, which is not followed" if found.status < 400 else f"{found.status}, which is no status"
            raise UpstreamFailed(f"{route.spec.provider} answered with {what}.")
        if found.status < 300:
            self._serving.balancer.began(load, exchange.upstream_seconds - before)
        elif found.status >= 500 or found.status in _ANOTHER_MAY:
            self._serving.balancer.missed(load)
        return found, outgoing

    def _missed(self, candidate: Candidate, error: ModelScanError) -> _Missed:
        if self._load is None:  # It was not asked.
            self._exchange.passed_by(f"skipped {error.code}")
        limited = isinstance(error, RateLimited)
        return _Missed(candidate, error.message.rstrip("."), error, limited, error.fields.get("retry_after"))


def _none_left(missed: list[_Missed], plan: Plan) -> ModelScanError:
    """One error for all: the caller's own where all refused what was asked, else who did not answer, and why."""
    if isinstance(missed[0].error, InvalidInput) and all(isinstance(one.error, InvalidInput) for one in missed):
        return missed[0].error
    whys = [(one.candidate.name, one.why) for one in missed]
    whys += [(name, "nobody serves it here") for name in plan.missing]
    whys += [(name, _UNPRICED) for name in plan.unpriced]
    told = "; ".join(f"{name}: {why}" for name, why in whys)
    waits = [one.retry_after for one in missed if one.retry_after is not None]
    kind = RateLimited if all(one.limited for one in missed) else NoCandidateLeft
    match = plan.rule.match if plan.rule else ""
    return kind(
        f"Nobody answered for {match!r}: {told}.",
        hint="modelscan routes explain shows how each of them does.",
        candidates=[{"model": name, "why": why} for name, why in whys],
        **({"retry_after": min(waits)} if waits else {}),
    )
