"""In which order candidates are asked."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest

from modelscan.clients.registry import Registry
from modelscan.clients.routing import Candidate, Plan, Routing
from modelscan.settings import Balance, RoutingRule
from modelscan.types import Model, Price, PriceVersion, Tariff
from modelscan.usage.prices import PriceBook
from router_app.balancing import Balancer
from tests.clients.test_registry import BASE, served
from tests.router_app.routers import a_spec
from tests.router_app.test_circuits import Clock

PRICES = {"dear": ("3", "9"), "cheap": ("0.1", "0.2"), "unknown": (None, "0")}


def plan(balance: Balance, **weights: float) -> Plan:
    specs = []
    for provider, (bought, sold) in PRICES.items():
        price = Price(input_mtok=Decimal(bought) if bought else None, output_mtok=Decimal(sold))
        specs.append(a_spec(BASE, provider).model_copy(update={"models": (Model(id="echo", price=price),)}))
    specs.append(a_spec(BASE, "last"))
    targets = [{"model": f"{provider}/echo", "weight": weights.get(provider, 1)} for provider in PRICES]
    rule = {"match": "all", "targets": targets, "balance": balance, "fallbacks": ["last/echo"]}
    return Routing(Registry.of(1, map(served, specs)), [RoutingRule.model_validate(rule)]).plan("all")


def order(balancer: Balancer, plan: Plan) -> list[str]:
    return [candidate.route.spec.provider for candidate in balancer.order(plan)]


def candidates(plan: Plan) -> dict[str, Candidate]:
    return {candidate.route.spec.provider: candidate for candidate in plan.targets}


def test_in_order_is_as_it_is_written() -> None:
    assert order(Balancer(), plan("in_order")) == ["dear", "cheap", "unknown", "last"]


def test_the_lowest_price_comes_first_and_one_that_is_unknown_is_not_low() -> None:
    assert order(Balancer(), plan("lowest_price")) == ["cheap", "dear", "unknown", "last"]


def test_a_price_that_counts_since_goes_before_the_specifications() -> None:
    rates = Tariff(input_mtok=Decimal("0.01"), output_mtok=Decimal("0.02"))
    book = PriceBook([PriceVersion.of("dear", "echo", datetime(2026, 11, 1, tzinfo=UTC), rates, {})])
    assert order(Balancer(prices=lambda: book), plan("lowest_price")) == ["dear", "cheap", "unknown", "last"]


def test_a_failure_hides_what_is_known_of_nobody_and_is_over_after_a_minute() -> None:
    clock = Clock()
    balancer, found = Balancer(clock=clock), plan("lowest_latency")
    loads = {provider: balancer.load(candidate) for provider, candidate in candidates(found).items()}
    balancer.began(loads["dear"], 0.5)
    for provider in ("dear", "unknown"):
        balancer.missed(loads[provider])
    balancer.began(loads["cheap"], 0.9)
    assert (order(balancer, found), loads["dear"].latency) == (["dear", "cheap", "unknown", "last"], 0.5)
    clock.now = 61
    balancer.began(loads["cheap"], 0.9)
    assert order(balancer, found) == ["dear", "unknown", "cheap", "last"]
    balancer.began(loads["unknown"], 0.1)
    balancer.missed(loads["dear"])
    assert order(balancer, found) == ["unknown", "cheap", "dear", "last"]


def test_the_least_used_has_the_fewest_running_then_the_fewest_ever() -> None:
    balancer, found = Balancer(), plan("least_used")
    for provider, running, requests in [("dear", 1, 1), ("cheap", 0, 9), ("unknown", 0, 8)]:
        load = balancer.load(candidates(found)[provider])
        load.running, load.requests = running, requests
    assert order(balancer, found) == ["unknown", "cheap", "dear", "last"]


def test_weights_are_shares_of_the_requests() -> None:
    balancer = Balancer(chance=Random(7).random)
    firsts = Counter(order(balancer, plan("weighted", dear=6, cheap=3))[0] for _ in range(2000))
    assert firsts["dear"] / 2000 == pytest.approx(0.6, abs=0.05)
    assert firsts["cheap"] / 2000 == pytest.approx(0.3, abs=0.05)


def test_the_lowest_latency_comes_first_and_who_was_not_asked_lately_is_tried_by_one_request() -> None:
    clock = Clock()
    balancer, found = Balancer(clock=clock), plan("lowest_latency")
    loads = {provider: balancer.load(candidate) for provider, candidate in candidates(found).items()}
    balancer.began(loads["dear"], 0.5)
    balancer.began(loads["cheap"], 0.3)
    assert order(balancer, found) == ["unknown", "cheap", "dear", "last"]
    loads["unknown"].running = 1
    assert order(balancer, found) == ["cheap", "dear", "unknown", "last"]
    for _ in range(9):
        balancer.began(loads["cheap"], 2.0)
    assert 0.5 < loads["cheap"].latency < 2.0
    assert order(balancer, found) == ["dear", "cheap", "unknown", "last"]
    clock.now = 61
    balancer.began(loads["dear"], 0.4)
    assert (order(balancer, found)[0], loads["dear"].latency) == ("cheap", 0.4)


@pytest.mark.parametrize(
    ("ailing", "expected"),
    [
        ({}, ["dear", "cheap", "unknown", "last"]),
        ({"dear": 1}, ["cheap", "unknown", "dear", "last"]),
        ({"dear": 2, "cheap": 1}, ["unknown", "cheap", "last", "dear"]),
        ({"dear": 2, "cheap": 2, "unknown": 2}, ["last", "dear", "cheap", "unknown"]),
        ({"last": 2, "dear": 1}, ["cheap", "unknown", "dear", "last"]),
        ({"nobody": 2}, ["dear", "cheap", "unknown", "last"]),
    ],
)
def test_who_is_degraded_comes_after_who_is_not_and_who_is_down_after_all(
    ailing: dict[str, int], expected: list[str]
) -> None:
    balancer = Balancer(ailing=lambda: ailing)
    assert order(balancer, plan("in_order")) == expected


def test_who_is_not_up_is_told_in_words() -> None:
    balancer = Balancer(ailing=lambda: {"dear": 2, "last": 1, "nobody": 2})
    assert balancer.told(plan("in_order")) == ["dear is down", "last is degraded"]
