"""`modelscan tokens`, in the catalogue where no service runs, and at the service where one does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelscan.cli.token_options import EXPIRY
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run

STANDING: dict[str, Any] = {
    "id": "tok_1",
    "name": "app",
    "role": "client",
    "prefix": "msk-AbCd",
    "created_at": "2026-11-23T08:00:00Z",
    "expires_at": "2027-01-31T00:00:00Z",
    "revoked_at": None,
    "terms": {"models": ["demo/*"], "providers": ["demo"], "rpm": 5, "monthly_usd": "20"},
    "state": "active",
    "limits": [
        {"limit": "rpm", "most": 5, "used": 2, "held": 0, "until": "2026-11-23T08:01:00Z"},
        {"limit": "monthly_usd", "most": "20", "used": "0.0125", "held": "0.5", "until": "2026-12-01T00:00:00Z"},
    ],
}
TEXT = "msk-AbCdEfGh"


def test_without_a_service_tokens_are_issued_into_the_catalogue(run: Run) -> None:
    issued = run("tokens", "issue", "app", "--model", "demo/*", "--rpm", "5", "--monthly-usd", "20", "--expires", "30d")
    text = issued.stdout.strip()
    assert text.startswith("msk-")
    assert "shown this once" in issued.stderr
    listed, shown = run("tokens", "list"), run("tokens", "show", "app")
    for words in ("app", f"{text[:8]}…", "active", "demo/*", "rpm 0 of 5; monthly_usd 0 of 20"):
        assert words in listed.stdout
    assert "unpriced   refused" in shown.stdout
    assert text not in listed.stdout + shown.stdout


def test_a_limit_is_changed_and_the_others_stay(run: Run) -> None:
    run("tokens", "issue", "app", "--model", "demo/*", "--rpm", "5", "--daily-usd", "2")
    told = run("tokens", "limit", "app", "--rpm", "none", "--tpm", "90", "--allow-unknown-price", "--json")
    terms = json.loads(told.stdout)["terms"]
    assert {name: value for name, value in terms.items() if value} == {
        "models": ["demo/*"],
        "tpm": 90,
        "daily_usd": "2",
        "allow_unknown_price": True,
    }
    assert json.loads(run("tokens", "limit", "app", "--model", "none", "--json").stdout)["terms"]["models"] == []


def test_a_token_is_rotated_revoked_and_deleted(run: Run) -> None:
    first = run("tokens", "issue", "app").stdout
    rotated = run("tokens", "rotate", "app")
    assert rotated.stdout != first
    assert "the one before is refused" in rotated.stderr
    assert json.loads(run("tokens", "rotate", "app", "--json").stdout)["token"].startswith("msk-")
    assert "refused from now on" in run("tokens", "revoke", "app").stdout
    assert json.loads(run("tokens", "revoke", "app", "--json").stdout)["state"] == "revoked"
    assert "forgotten" in run("tokens", "delete", "app").stdout
    assert "There is no token 'app'" in run("tokens", "delete", "app").stderr


def test_without_any_it_says_how_to_issue_one_and_makes_nothing(run: Run, home: Path) -> None:
    assert "modelscan tokens issue NAME" in run("tokens", "list").stderr
    assert not (home / "data").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("two words",), "cannot be called 'two words'"),
        (("app", "--rpm", "many"), "--rpm: Input should be a valid integer"),
        (("app", "--daily-usd", "-1"), "--daily-usd: Input should be greater than 0"),
        (("app", "--role", "admin", "--rpm", "1"), "uses no model"),
        (("app", "--expires", "2020-01-01"), "expired already"),
    ],
)
def test_what_cannot_be_issued_is_said_so(run: Run, words: tuple[str, ...], said: str) -> None:
    refused = run("tokens", "issue", *words)
    assert refused.exit_code == 1
    assert said in refused.stderr


@pytest.mark.parametrize("typed", ["soon", "999999w", "2027-13-01"])
def test_what_is_no_time_is_a_wrong_command_line(run: Run, typed: str) -> None:
    assert run("tokens", "issue", "app", "--expires", typed).exit_code == 2


def test_a_time_is_a_span_or_a_date() -> None:
    span = EXPIRY.convert("90m", None, None) - datetime.now(UTC)
    assert timedelta(minutes=89) < span <= timedelta(minutes=90)
    assert EXPIRY.convert("2027-01-31", None, None) == datetime(2027, 1, 31, tzinfo=UTC)
    at = EXPIRY.convert("2027-01-31T12:00+02:00", None, None)
    assert EXPIRY.shown(EXPIRY.convert(at, None, None)) == "2027-01-31 10:00 UTC"


def test_roles_say_what_they_open(run: Run) -> None:
    assert "may look at everything in the admin API" in run("tokens", "issue", "eyes", "--role", "read-only").stderr
    assert "may do everything in the admin API" in run("tokens", "issue", "ops", "--role", "admin").stderr
    told = json.loads(run("tokens", "issue", "more", "--role", "admin", "--json").stdout)
    assert (told["role"], told["token"][:4]) == ("admin", "msk-")
    assert "role       admin" in run("tokens", "show", "ops").stdout
    assert "all models" not in run("tokens", "list").stdout


def test_at_a_running_service_all_goes_to_its_api(run: Run, home: Path) -> None:
    handed = {**STANDING, "token": TEXT}
    answers: dict[str, list[tuple[int, Any]]] = {
        "GET /health": [(200, {})],
        "POST /api/tokens": [(201, handed)],
        "GET /api/tokens": [(200, [STANDING])],
        "GET /api/tokens/app": [(200, STANDING)],
        "PUT /api/tokens/app": [(200, STANDING)],
        "POST /api/tokens/app/rotate": [(200, handed)],
        "POST /api/tokens/app/revoke": [(200, {**STANDING, "state": "revoked"})],
        "DELETE /api/tokens/app": [
            (200, {name: STANDING[name] for name in STANDING if name not in ("state", "limits")})
        ],
    }
    api = AdminApi(answers)
    with served(api, home / "data"):
        assert run("tokens", "issue", "app", "--rpm", "5", "--expires", "2027-01-31").stdout.strip() == TEXT
        assert "monthly_usd 0.0125 of 20" in run("tokens", "list").stdout
        shown = run("tokens", "show", "app").stdout
        run("tokens", "limit", "app", "--rpm", "7")
        assert run("tokens", "rotate", "app").stdout.strip() == TEXT
        assert "is refused from now on" in run("tokens", "revoke", "app").stdout
        assert json.loads(run("tokens", "delete", "app", "--json").stdout)["id"] == "tok_1"
    for words in ("2027-01-31 00:00 UTC", "providers  demo", "0.5"):
        assert words in shown
    sent = {request: body for request, body, _ in api.requests if body}
    assert sent["POST /api/tokens"]["expires_at"] == "2027-01-31T00:00:00+00:00"
    assert (sent["PUT /api/tokens/app"]["rpm"], sent["PUT /api/tokens/app"]["monthly_usd"]) == (7, "20")


def test_a_service_that_is_gone_is_none(run: Run, home: Path) -> None:
    with served(AdminApi({}), home / "data"):
        pass
    assert run("tokens", "issue", "app").exit_code == 0
