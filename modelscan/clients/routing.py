"""What a name that a caller asks for leads to: the operator's rules over the registry, one immutable snapshot."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from modelscan.clients.registry import Registry, Route
from modelscan.errors import UnknownModel
from modelscan.globs import glob_pattern
from modelscan.settings import RoutingRule, RoutingTarget

__all__ = ["Candidate", "Plan", "Routing"]

_REMEMBERED = 4096
"""Names whose plans are kept; callers may ask for any, so they are forgotten together once there are more."""

_LONGEST_NAME = 256


class Candidate(NamedTuple):
    """One model that may answer."""

    route: Route
    weight: float = 1.0

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.route.spec.provider}/{self.route.model}"


class Plan(NamedTuple):
    """Who may answer a request: the targets, balanced as the rule says, then the fallbacks in their order."""

    targets: tuple[Candidate, ...]
    fallbacks: tuple[Candidate, ...] = ()
    rule: RoutingRule | None = None
    """None where the name is a model's own."""
    missing: tuple[str, ...] = ()
    """Targets of the rule that nobody serves."""
    unpriced: tuple[str, ...] = ()
    """Those that a budget in dollars leaves out of this request: nobody knows what they cost."""


class Routing:
    """The rules that count for a registry. A rule's targets are models: no other rule is applied to them."""

    def __init__(self, registry: Registry, rules: Iterable[RoutingRule] = ()) -> None:
        self.registry = registry
        self.rules = tuple(sorted(rules, key=_rank))
        self._matchers = tuple((glob_pattern(rule.match), glob_pattern(rule.client), rule) for rule in self.rules)
        self.asks_client = any(rule.client != "*" for rule in self.rules)
        """Whether it matters who asks."""
        self._plans: dict[tuple[str, str], Plan] = {}

    def plan(self, name: str, client: str = "") -> Plan:
        """Who may answer a request for `name`; raises UnknownModel, AmbiguousModel."""
        if len(name) > _LONGEST_NAME:
            return self._made(name, client)
        known = self._plans.get((name, client))
        if known is None:
            known = self._made(name, client)
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            self._plans[name, client] = known
        return known

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        """The names that rules for everybody add."""
        return tuple(sorted({rule.match for rule in self.rules if not rule.is_glob and rule.client == "*"}))

    def _made(self, name: str, client: str) -> Plan:
        for match, who, rule in self._matchers:
            if (found := match.fullmatch(name)) and who.fullmatch(client):
                return self._plan(rule, found)
        return Plan((Candidate(self.registry.resolve(name)),))

    def _plan(self, rule: RoutingRule, found: re.Match[str]) -> Plan:
        missing: list[str] = []
        groups = [self._candidates(targets, found, missing) for targets in (rule.targets, rule.fallbacks)]
        if not any(groups):
            raise UnknownModel(
                f"The rule for {rule.match!r} leads to {', '.join(missing)}, which nobody serves here.",
                hint="Add it (modelscan add), or change the rule (modelscan routes).",
                model=found.string,
                nearest=[],
            )
        targets, fallbacks = groups if groups[0] else (groups[1], ())
        return Plan(targets, tuple(one for one in fallbacks if one not in targets), rule, tuple(missing))

    def _candidates(
        self, targets: Sequence[RoutingTarget], found: re.Match[str], missing: list[str]
    ) -> tuple[Candidate, ...]:
        candidates: dict[tuple[str, str], Candidate] = {}
        for target in targets:
            provider, _, model = target.model.partition("/")
            model = _filled(model, found)
            names = [f"{one}/{model}" for one in self.registry.providers_of(model)] if provider == "*" else []
            for name in names or [f"{provider}/{model}" if model else _filled(provider, found)]:
                try:
                    route = self.registry.resolve(name)
                except UnknownModel:
                    missing.append(name)
                else:
                    candidates.setdefault((route.spec.provider, route.model), Candidate(route, target.weight))
        return tuple(candidates.values())


def _filled(model: str, found: re.Match[str]) -> str:
    """A target's model, with what the rule's globs matched in place of its own `*`, in their order."""
    matched = iter(found.groups())
    return re.sub(r"\*", lambda _: next(matched, "*"), model)


def _rank(rule: RoutingRule) -> tuple[object, ...]:
    """The rules in the order in which they are tried: priority, then the one that says most."""
    said = -_letters(rule.match), -_letters(rule.client)
    return (-rule.priority, rule.is_glob, rule.client == "*", *said, rule.match, rule.client)


def _letters(glob: str) -> int:
    return len(glob) - glob.count("*") - glob.count("?")
