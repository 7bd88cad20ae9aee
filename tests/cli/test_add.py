"""`modelscan add` against a service that answers what the test lists."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelscan.cli import add as add_module
from tests.cli.admin_api import AdminApi, discovery, served, step
from tests.cli.conftest import Run

KEY = "sk-canary-1234567890"
SCRAPED = step(1, "scrape models.dev", "cached", "12 models")
LIVE = {"level": "live", "version": 1, "generation": 4}


def service(*answers: dict[str, Any] | int, posted: tuple[int, Any] | None = None) -> AdminApi:
    """A service that queues the discovery and then tells its states, an int for a status without a body."""
    followed = [(answer, {}) if isinstance(answer, int) else (200, answer) for answer in answers]
    queued = posted or (202, discovery("queued"))
    return AdminApi({"POST /api/providers/add": [queued], "GET /api/discoveries/d1": followed})


def test_the_steps_are_shown_and_what_to_type_next(run: Run, home: Path) -> None:
    running = discovery("running", SCRAPED, step(2, "synthesise", "running"))
    ended = discovery("succeeded", SCRAPED, step(2, "synthesise"), step(3, "publish", detail="[v1]"), **LIVE)
    with served(service(running, running, ended), home / "data") as api:
        done = run("add", "demo/echo")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("scrape models.dev (cached) 1.50 s 12 models") == 1
    assert "✓ publish 1.50 s [v1]" in done.stderr
    assert "demo/echo is added: version 1, proved to level live." in done.stdout
    assert f'curl {api.url}/v1/chat/completions -d \'{{"model": "demo/echo"' in done.stdout
    assert api.requests[0] == (
        "POST /api/providers/add",
        {"identifier": "demo/echo", "refresh": False, "deep": False},
        "Bearer token-of-the-test",
    )


def test_why_not_higher_gaps_and_a_missing_router_are_said(run: Run, home: Path) -> None:
    gap = {"source": "models.dev", "kind": "unreachable", "reason": "no answer in 10 s"}
    unknown = {"source": "builtin", "kind": "unknown", "reason": "not in the table"}
    ended = discovery("succeeded", level="probe", version=2, why_not_higher="No key was given.", gaps=[gap, unknown])
    with served(service(ended), home / "data"):
        done = run("add", "demo")
    assert "Not higher, because no key was given." in done.stdout
    assert "Gap: models.dev is unreachable: no answer in 10 s" in done.stdout
    assert "builtin" not in done.stdout
    assert "No router has confirmed it" in done.stdout
    assert "modelscan models demo" in done.stdout


def test_json_prints_the_discovery_alone(run: Run, home: Path) -> None:
    with served(service(discovery("succeeded", SCRAPED, **LIVE)), home / "data"):
        done = run("add", "demo/echo", "--json")
    assert json.loads(done.stdout)["level"] == "live"
    assert done.stderr == ""


FAILED = {
    "code": "validation-failed",
    "message": "Every attempt failed.",
    "hint": "Is it an LLM server?",
    "fields": {"failed": [{"case": "chats", "detail": "404"}, "lists_models"], "nearest": ["demo"], "choices": []},
}


def test_a_failure_tells_the_cases_and_what_to_do_and_exits_1(run: Run, home: Path) -> None:
    with served(service(discovery("failed", step(1, "validate", "failed"), error=FAILED)), home / "data"):
        done = run("add", "demo/echo")
    assert done.exit_code == 1
    for said in ("✗ validate", "Every attempt failed.", "chats: 404", "lists_models", "Nearest: demo", "Is it an LLM"):
        assert said in done.stderr


def test_a_failure_in_json_is_the_discovery_and_exits_1(run: Run, home: Path) -> None:
    with served(service(discovery("failed", error=FAILED)), home / "data"):
        done = run("add", "demo/echo", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["fields"]["failed"][1] == "lists_models"


def test_the_key_and_the_address_go_to_the_service_and_nowhere_else(run: Run, home: Path) -> None:
    with served(service(discovery("succeeded", **LIVE)), home / "data") as api:
        given = ("--base-url", "http://h/v1", "--api-key-stdin", "--refresh", "--deep")
        done = run("add", "local/x", *given, input=f"{KEY}\n")
    body = {"identifier": "local/x", "base_url": "http://h/v1", "api_key": KEY, "refresh": True, "deep": True}
    assert api.requests[0][1] == body
    assert KEY not in done.output + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "x/y", "--api-key", "a", "--api-key-stdin"], "not by both"),
        (["add", "x/y", "--api-key", " "], "The key is empty"),
    ],
)
def test_a_key_given_wrongly_is_a_usage_error(run: Run, home: Path, arguments: list[str], said: str) -> None:
    with served(service(), home / "data"):
        done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_no_identifier_at_all_is_said_before_anybody_is_asked(run: Run) -> None:
    done = run("add", "///")
    assert done.exit_code == 1
    assert "is not a model identifier" in done.stderr


def test_without_a_service_it_says_how_to_start_one(run: Run) -> None:
    done = run("add", "demo/echo")
    assert done.exit_code == 1
    assert "No service is running" in done.stderr
    assert "scripts/serve" in done.stderr


def test_a_service_that_died_is_told_like_none(run: Run, home: Path) -> None:
    with served(service(), home / "data"):
        pass
    done = run("add", "demo/echo", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "service-unavailable"


def test_a_service_that_restarts_is_waited_for(run: Run, home: Path) -> None:
    restarting = {"code": "service-unavailable", "detail": "restarting"}
    api = service(discovery("running"), discovery("succeeded", **LIVE))
    api.answers["GET /api/discoveries/d1"][1:1] = [(0, None), (503, restarting)]
    with served(api, home / "data"):
        done = run("add", "demo/echo")
    assert done.exit_code == 0, done.stderr


def test_a_service_that_stays_away_is_given_up(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(add_module, "PATIENCE_SECONDS", 0.0)
    api = service(discovery("running"))
    api.answers["GET /api/discoveries/d1"] = [(0, None)]
    with served(api, home / "data"):
        done = run("add", "demo/echo")
    assert done.exit_code == 1
    assert "does not answer" in done.stderr


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, {"code": "unknown-identifier", "detail": "Nobody knows it.", "nearest": ["acme"]}, "Nearest: acme"),
        (401, {"type": "urn:modelscan:unauthorized", "title": "The token is wrong."}, "The token is wrong."),
        (500, b"<html>", "The service answered 500."),
        (400, ["odd"], "The service answered 400."),
    ],
)
def test_a_problem_is_told_in_its_own_words(run: Run, home: Path, status: int, body: Any, said: str) -> None:
    with served(service(posted=(status, body)), home / "data"):
        done = run("add", "demo/echo")
    assert done.exit_code == 1
    assert said in done.stderr
