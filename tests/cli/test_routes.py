"""`modelscan routes`, against a stand-in for the service."""

import json
from pathlib import Path
from typing import Any

from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run

RULE: dict[str, Any] = {
    "match": "quick",
    "targets": [{"model": "acme/small", "weight": 3.0}, {"model": "other/fast", "weight": 1.0}],
    "fallbacks": [{"model": "third/slow", "weight": 1.0}],
    "balance": "weighted",
    "priority": 2,
    "client": "*",
}
CANDIDATE: dict[str, Any] = {
    "model": "acme/small",
    "role": "target",
    "protocol": "openai_chat",
    "price": {"input_mtok": "0.1", "output_mtok": "0.4"},
    "running": 1,
    "requests": 7,
    "first_byte_ms": 12.4,
    "health": "degraded",
    "circuit_open_seconds": 0.0,
    "keys_rest_seconds": 0.0,
}


def test_the_rules_are_listed(run: Run, home: Path) -> None:
    with served(AdminApi({"GET /api/routes": [(200, [{**RULE, "origin": "api"}])]}), home / "data"):
        table, whole = run("routes"), run("routes", "--json")
    assert "acme/small=3, other/fast=1" in table.stdout
    assert "third/slow" in table.stdout
    assert json.loads(whole.stdout) == [{**RULE, "origin": "api"}]


def test_without_a_rule_it_says_how_to_set_one(run: Run, home: Path) -> None:
    with served(AdminApi({"GET /api/routes": [(200, [])]}), home / "data"):
        assert "modelscan routes set NAME TARGET" in run("routes").stderr


def test_a_rule_is_set(run: Run, home: Path) -> None:
    api = AdminApi({"PUT /api/routes": [(200, {**RULE, "origin": "api"})]})
    words = ("routes", "set", "quick", "acme/small=3", "other/fast", "--fallback", "third/slow")
    with served(api, home / "data"):
        said = run(*words, "--balance", "weighted", "--priority", "2")
        told = run(*words, "--json")
    assert "Requests for quick go to acme/small=3, other/fast." in said.stdout
    assert json.loads(told.stdout)["origin"] == "api"
    assert api.requests[0][1] == RULE


def test_what_is_no_rule_is_refused_before_it_is_sent(run: Run, home: Path) -> None:
    api = AdminApi({})
    with served(api, home / "data"):
        said = run("routes", "set", "two words", "acme/small")
        none = run("routes", "set", "name")
    assert said.exit_code == 1
    assert "match: String should match pattern" in said.stderr
    assert none.exit_code == 2
    assert api.requests == []


def test_a_rule_is_removed(run: Run, home: Path) -> None:
    api = AdminApi({"DELETE /api/routes?match=gpt-%2A&client=team-%2A": [(200, RULE)]})
    with served(api, home / "data"):
        said = run("routes", "remove", "gpt-*", "--client", "team-*")
        told = run("routes", "remove", "gpt-*", "--client", "team-*", "--json")
    assert "The rule for gpt-* is removed." in said.stdout
    assert json.loads(told.stdout) == RULE


def test_it_explains_who_would_be_asked(run: Run, home: Path) -> None:
    down = {**CANDIDATE, "model": "other/fast", "circuit_open_seconds": 12.0, "price": None, "first_byte_ms": None}
    resting = {**CANDIDATE, "model": "third/slow", "keys_rest_seconds": 7.0}
    resting["price"] = {"input_mtok": None, "output_mtok": "1"}
    told = {"rule": RULE, "candidates": [CANDIDATE, down, resting], "missing": ["gone/model"]}
    own = {"rule": None, "candidates": [CANDIDATE], "missing": []}
    asked = "GET /api/routes/explain?model=quick&client="
    with served(AdminApi({asked: [(200, told), (200, own), (200, told)]}), home / "data"):
        by_rule, by_name, whole = run("routes", "explain", "quick"), run("routes", "explain", "quick"), None
        whole = run("routes", "explain", "quick", "--json")
    assert "By the rule for quick (weighted):" in by_rule.stdout
    for words in ("down, tried again in 12 s", "its keys rest for 7 s", "ready", "12 ms", "0.1, 0.4"):
        assert words in by_rule.stdout
    assert "modelscan add gone/model" in by_rule.stderr
    assert "By its own name:" in by_name.stdout
    assert json.loads(whole.stdout) == told
