"""Load balancing: in which order a request's candidates are asked, and what is measured of each for that."""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from modelscan.clients.routing import Candidate, Plan
from modelscan.settings import Balance
from modelscan.types import Price, Tariff
from modelscan.usage.prices import PriceBook

__all__ = ["Balancer", "Load"]

_WEIGHT_OF_NEW = 0.2
_TRUSTED_SECONDS = 60.0
"""A latency that was measured longer ago says nothing: the model is asked again, to know."""

_DOWN = 2
_WORDS = {1: "degraded", _DOWN: "down"}
"""The ranks of those that are not up."""


@dataclass(slots=True)
class Load:
    """Of one model of one provider."""

    running: int = 0
    requests: int = 0
    latency: float = 0.0
    """Seconds to the first byte, a moving average; 0: unknown; infinite where it did not answer the last time."""
    measured_at: float = 0.0


class Balancer:
    """Knows the load of each model, and orders candidates by it."""

    def __init__(
        self,
        *,
        prices: Callable[[], PriceBook] = PriceBook,
        ailing: Callable[[], Mapping[str, int]] = dict,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._prices = prices
        self._ailing = ailing
        self._clock = clock
        self._chance = chance
        self._loads: dict[tuple[str, str], Load] = {}
        self._orders: Mapping[Balance, Callable[[Candidate], float]] = {
            "in_order": lambda _: 0.0,
            "least_used": lambda one: self.load(one).running + self.load(one).requests * 1e-9,
            "weighted": lambda one: -math.log(1.0 - self._chance()) / one.weight,
            "lowest_latency": self._latency,
            "lowest_price": self._price,
        }

    def order(self, plan: Plan) -> Sequence[Candidate]:
        """The candidates in the order in which they are asked.

        Targets that are degraded come after those that are not, and who is down comes after all, fallbacks included.
        """
        if plan.rule is None:
            return plan.targets
        targets: Sequence[Candidate] = plan.targets
        if len(targets) > 1:
            targets = sorted(targets, key=self._orders[plan.rule.balance])
        if not (ailing := self._ailing()):
            return (*targets, *plan.fallbacks)
        rank = partial(_rank, ailing)
        ordered = (*sorted(targets, key=rank), *plan.fallbacks)
        return sorted(ordered, key=lambda one: rank(one) >= _DOWN)

    def told(self, plan: Plan) -> list[str]:
        """Who of the candidates is not up, in words."""
        providers = dict.fromkeys(one.route.spec.provider for one in (*plan.targets, *plan.fallbacks))
        ailing = self._ailing()
        return [f"{one} is {_WORDS[ailing[one]]}" for one in providers if one in ailing]

    def load(self, candidate: Candidate) -> Load:
        """What is known of it."""
        key = candidate.route.spec.provider, candidate.route.model
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = Load()
        return load

    def price(self, candidate: Candidate) -> Price | Tariff | None:
        """What counts now; of a model that the book of prices has nothing on, what its specification says."""
        route = candidate.route
        if version := self._prices().of(route.spec.provider, route.model):
            return version.tariff
        return next((one.price for one in route.spec.models if one.id == route.model), None)

    def began(self, load: Load, seconds: float) -> None:
        """It began to answer after so long."""
        now = self._clock()
        fresh = 0 < load.latency < math.inf and now - load.measured_at < _TRUSTED_SECONDS
        load.latency = load.latency + _WEIGHT_OF_NEW * (seconds - load.latency) if fresh else seconds
        load.measured_at = now

    def missed(self, load: Load) -> None:
        """It was asked and did not answer. Of whom nothing is known the others come first, until it is tried again."""
        now = self._clock()
        if not load.latency or now - load.measured_at >= _TRUSTED_SECONDS:
            load.latency, load.measured_at = math.inf, now

    def _latency(self, candidate: Candidate) -> float:
        """Who was not asked lately comes first, by one request: nothing else can tell how it does now."""
        load = self.load(candidate)
        if load.latency and self._clock() - load.measured_at < _TRUSTED_SECONDS:
            return load.latency
        return math.inf if load.running else 0.0

    def _price(self, candidate: Candidate) -> float:
        """Dollars for a million tokens in and as many out; a price that is unknown is not low."""
        price = self.price(candidate)
        if price is None or price.input_mtok is None or price.output_mtok is None:
            return math.inf
        return float(price.input_mtok + price.output_mtok)


def _rank(ailing: Mapping[str, int], candidate: Candidate) -> int:
    return ailing.get(candidate.route.spec.provider, 0)
