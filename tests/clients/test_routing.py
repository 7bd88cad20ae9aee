"""The operator's rules: which one counts for a name, and to whom it leads."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.clients.registry import Registry
from modelscan.clients.routing import Plan, Routing
from modelscan.errors import AmbiguousModel, UnknownModel
from modelscan.settings import RoutingRule
from tests.clients.test_registry import registry

SERVED = registry(acme=("small", "large"), other=("small", "fast"), third=("a/b",))


def rule(match: str, *targets: str, **more: object) -> RoutingRule:
    return RoutingRule.model_validate({"match": match, "targets": targets, **more})


def routing(*rules: RoutingRule) -> Routing:
    return Routing(SERVED, rules)


def names(plan: Plan) -> list[str]:
    return [one.name for one in (*plan.targets, *plan.fallbacks)]


def test_a_name_without_a_rule_is_a_models_own() -> None:
    plan = routing(rule("other/*", "acme/small")).plan("acme/large")
    assert (names(plan), plan.rule) == (["acme/large"], None)
    with pytest.raises(AmbiguousModel):
        routing().plan("small")


def test_an_alias_leads_to_its_targets_and_then_to_its_fallbacks() -> None:
    plan = routing(rule("quick", "acme/small", "other/fast", fallbacks=["third/a/b", "acme/small"])).plan("quick")
    assert [one.name for one in plan.targets] == ["acme/small", "other/fast"]
    assert [one.name for one in plan.fallbacks] == ["third/a/b"]


@pytest.mark.parametrize(
    ("match", "target", "asked", "found"),
    [
        ("gpt-*", "acme/*", "gpt-small", "acme/small"),
        ("*", "other/fast", "whatever you like", "other/fast"),
        ("?-small", "acme/small", "x-small", "acme/small"),
        ("*-to-*", "*/*", "small-to-x", "acme/small"),
        ("our/*", "third/*", "our/a/b", "third/a/b"),
        ("plain", "fast", "plain", "other/fast"),
        ("colon", "other:fast", "colon", "other/fast"),
        ("acme/large", "other/fast", "acme/large", "other/fast"),
    ],
)
def test_a_rule_renames_what_it_matches(match: str, target: str, asked: str, found: str) -> None:
    assert names(routing(rule(match, target)).plan(asked))[0] == found


@pytest.mark.parametrize(("match", "asked"), [("gpt-*", "xgpt-4"), ("?-tiny", "tiny"), ("a.c", "abc"), ("*x", "y")])
def test_a_glob_is_for_whole_names_and_has_no_other_signs(match: str, asked: str) -> None:
    with pytest.raises(UnknownModel):
        routing(rule(match, "acme/small")).plan(asked)


def test_a_star_for_the_provider_is_everybody_who_serves_the_model() -> None:
    assert names(routing(rule("small", "*/small")).plan("small")) == ["acme/small", "other/small"]


def test_of_several_rules_the_highest_priority_counts_then_the_one_that_says_most() -> None:
    rules = [
        rule("*", "acme/small"),
        rule("ab*", "acme/large"),
        rule("abc", "other/fast"),
        rule("abc", "other/small", client="team-*"),
        rule("z*", "third/a/b", priority=-1),
        rule("*c*", "third/a/b", priority=9, client="boss"),
    ]
    table = routing(*reversed(rules))
    found = {
        (name, client): names(table.plan(name, client))[0]
        for name, client in [("abc", ""), ("abc", "team-1"), ("abc", "boss"), ("abd", ""), ("x", ""), ("zz", "")]
    }
    assert found == {
        ("abc", ""): "other/fast",
        ("abc", "team-1"): "other/small",
        ("abc", "boss"): "third/a/b",
        ("abd", ""): "acme/large",
        ("x", ""): "acme/small",
        ("zz", ""): "acme/small",
    }
    assert table.asks_client
    assert not routing(rules[0]).asks_client


def test_a_target_that_nobody_serves_is_told_and_the_others_stand_in() -> None:
    plan = routing(rule("quick", "gone/model", fallbacks=["acme/small"])).plan("quick")
    assert (names(plan), plan.missing) == (["acme/small"], ("gone/model",))
    with pytest.raises(UnknownModel, match=r"leads to gone/model, \*/nothing"):
        routing(rule("quick", "gone/model", "*/nothing")).plan("quick")


def test_no_rule_is_applied_to_a_target() -> None:
    table = routing(rule("acme/*", "other/*"), rule("other/*", "acme/*"))
    assert names(table.plan("acme/small")) == ["other/small"]


def test_names_that_rules_add_for_all_are_listed() -> None:
    rules = [rule("quick", "acme/small"), rule("gpt-*", "acme/small"), rule("mine", "acme/small", client="me")]
    assert routing(*rules).aliases == ("quick",)


def test_plans_are_remembered_and_forgotten_together() -> None:
    table = routing(rule("*", "acme/small"))
    assert table.plan("a") is table.plan("a")
    assert table.plan("a" * 300) is not table.plan("a" * 300)
    first = table.plan("a")
    for number in range(5000):
        table.plan(f"x{number}")
    assert table.plan("a") is not first


def test_no_glob_is_slow() -> None:
    table = routing(rule("*a" * 60 + "b", "acme/small"))
    began = time.process_time()
    with pytest.raises(UnknownModel):
        table.plan("a" * 256)
    assert time.process_time() - began < 1


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=12))
def test_a_glob_matches_what_its_stars_can_be_stretched_to(glob: str, name: str) -> None:
    whole = "".join(".*" if sign == "*" else "." if sign == "?" else sign for sign in glob)
    table = Routing(Registry(), [rule(glob, "nobody/here")])
    with pytest.raises(UnknownModel) as unknown:
        table.plan(name)
    assert ("nobody/here" in str(unknown.value)) is bool(re.fullmatch(whole, name))
