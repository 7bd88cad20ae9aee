"""What a caller's token allows of what was asked: who may be asked, and how much of the token's limits that may use."""

from decimal import Decimal
from typing import Literal, NoReturn

from modelscan.clients.routing import Candidate, Plan, Routing
from modelscan.errors import NotFound, PriceUnknown, UnknownModel
from modelscan.tokens.account import Account
from modelscan.usage.prices import PriceBook
from router_app.exchange import Exchange

__all__ = ["Uses", "admitted", "permitted_plan"]

_ZERO = Decimal(0)
_REMEMBERED = 1024
"""Plans of a token; callers may ask for any name, so they are forgotten together once there are more."""


Uses = Literal["nothing", "prompt", "prompt and answer"]
"""What of a request is counted in tokens."""


def admitted(exchange: Exchange, routing: Routing, uses: Uses) -> Plan:
    """Who may answer a request; the most that it may use is held from now on.

    Raises as `permitted_plan` does; PriceUnknown, TokenLimited, BudgetSpent.
    """
    client = exchange.client if routing.asks_client else ""
    account = exchange.caller
    if account is None:
        return routing.plan(exchange.asked_model, client)
    plan, usd, tokens = permitted_plan(routing, account, exchange.asked_model, client), _ZERO, 0
    if account.counts_tokens or account.counts_usd:
        prompt = completion = 0
        if uses != "nothing":
            prompt, completion = exchange.most
        if uses == "prompt":
            completion = 0
        tokens = prompt + completion
        if account.counts_usd:
            plan, usd = _priced(plan, account, exchange.serving.prices, (prompt, completion))
    exchange.hold = account.reserve(tokens, usd, exchange.serving.door.book.clock())
    return plan


def permitted_plan(routing: Routing, account: Account | None, name: str, client: str = "") -> Plan:
    """Who may answer a request for `name` with this token.

    Raises UnknownModel and AmbiguousModel as `Routing.plan` does, but for a token that may not use everything without
    names that are none of its business; ModelNotAllowed.
    """
    if account is None or not account.allowance.bounded:
        return routing.plan(name, client)
    allowance = account.allowance
    if allowance.routing is not routing:
        allowance.routing, allowance.plans = routing, {}
    plan: Plan | None = allowance.plans.get((name, client))
    if plan is None:
        if len(allowance.plans) >= _REMEMBERED:
            allowance.plans.clear()
        plan = allowance.plans[name, client] = _permitted(routing, account, name, client)
    return plan


def _permitted(routing: Routing, account: Account, name: str, client: str) -> Plan:
    try:
        plan = routing.plan(name, client)
    except NotFound:
        raise UnknownModel(
            f"No model {name[:64]!r} is served here.", hint="GET /v1/models lists what this token may use.", model=name
        ) from None
    led = name if plan.rule else ""
    allowed = _either(plan, *(_fitting(group, account, led) for group in (plan.targets, plan.fallbacks)))
    if allowed is None:
        raise account.allowance.refusal(name)
    fits = account.allowance.fits  # What else the rule names is none of the token's business.
    return allowed._replace(missing=tuple(name for name in plan.missing if fits(*_split(name), led)))


def _split(name: str) -> tuple[str, str]:
    provider, _, model = name.partition("/")
    return provider, model


def _priced(plan: Plan, account: Account, prices: PriceBook, most: tuple[int, int]) -> tuple[Plan, Decimal]:
    """Those whose price is known, and what the dearest of them may cost; who is allowed any price is asked as well."""
    any_price, dearest, groups = account.token.terms.allow_unknown_price, _ZERO, []
    unpriced: list[str] = []
    for group in (plan.targets, plan.fallbacks):
        kept = []
        for one in group:
            cost = prices.most(one.route.spec.provider, one.route.model, *most)
            if cost is not None or any_price:
                kept.append(one)
                dearest = max(dearest, cost or _ZERO)
            else:
                unpriced.append(one.name)
        groups.append(tuple(kept))
    priced = _either(plan, *groups)
    if priced is None:
        _refuse_unknown(unpriced, account)
    return priced._replace(unpriced=tuple(unpriced)) if unpriced else priced, dearest


def _refuse_unknown(names: list[str], account: Account) -> NoReturn:
    """Nobody is left: each of them is named."""
    name = names[0]
    those = f"price of {name} is" if len(names) == 1 else f"prices of {', '.join(names)} are"
    raise PriceUnknown(
        f"The {those} unknown, and the token {account.token.name} has a budget in dollars.",
        hint=f"Have the operator tell it (modelscan conflicts pin {name} price.input_mtok PRICE, and so on), or allow "
        f"it: modelscan tokens limit {account.token.name} --allow-unknown-price",
        param="model",
    )


def _either(plan: Plan, targets: tuple[Candidate, ...], fallbacks: tuple[Candidate, ...]) -> Plan | None:
    """The plan with these alone, of whom the fallbacks are asked first where no target is left; None for nobody."""
    if targets == plan.targets and fallbacks == plan.fallbacks:
        return plan
    if not targets and not fallbacks:
        return None
    return plan._replace(targets=targets or fallbacks, fallbacks=fallbacks if targets else ())


def _fitting(candidates: tuple[Candidate, ...], account: Account, led: str) -> tuple[Candidate, ...]:
    fits = account.allowance.fits
    return tuple(one for one in candidates if fits(one.route.spec.provider, one.route.model, led))
