"""`modelscan keys`, against a stand-in for the service."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.keys.store import add_key
from tests.catalogues import migrate
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run

SECRET = "sk-canary-0123456789-abcdefghijklmnop"
KEY: dict[str, Any] = {"id": "abc", "prefix": "sk-c", "provider": "acme", "label": "main", "rpm": 500, "tpm": None}
FULL: dict[str, Any] = {
    "id": "abc",
    "prefix": "sk-c",
    "label": "",
    "state": "full",
    "place": None,
    "score": 1.25,
    "wait_seconds": 12.0,
    "limits": [
        {"what": "requests a minute", "limit": 500, "used": 500, "left": 0},
        {"what": "tokens a minute", "limit": None, "used": 1234, "left": None},
    ],
    "learned": [{"what": "requests", "told": 9000, "limit": 500, "remaining": 1200, "resets_seconds": 30.0}],
    "refused_with": 429,
    "refused_at": "2026-11-27T08:00:00Z",
    "why": "its 500 requests a minute are used: again in 12 s",
}
DISABLED: dict[str, Any] = {
    **FULL,
    "id": "def",
    "label": "old",
    "state": "disabled",
    "score": None,
    "limits": [],
    "learned": [{"what": "tokens", "told": None, "limit": None, "remaining": None, "resets_seconds": None}],
    "refused_at": None,
    "why": "you switched it off",
}


def test_what_is_chosen_and_why_is_shown(run: Run, home: Path) -> None:
    answers = [(200, [FULL, {**DISABLED, "refused_with": None}])]
    with served(AdminApi({"GET /api/keys/explain?provider=acme": answers}), home / "data"):
        shown, whole = run("keys", "explain", "acme"), run("keys", "explain", "acme", "--json")
    title, full, disabled, *lines = shown.stdout.splitlines()
    assert title.split()[:4] == ["#", "key", "id", "label"]
    assert "500 of 500" in full
    assert "1,234" in full
    assert full.endswith("429 at 2026-11-27 08:00:00Z")
    assert disabled.split()[2:5] == ["def", "old", "disabled"]
    assert lines == [
        "",
        "sk-c… (abc): its 500 requests a minute are used: again in 12 s",
        "  its provider told of requests: 1,200 left of 9,000 (yours is 500) reset in 30 s",
        "sk-c… (def): you switched it off",
        "  its provider told of tokens: ",
    ]
    assert json.loads(whole.stdout)[0] == FULL


def test_a_provider_without_a_key_is_said_to_have_none(run: Run, home: Path) -> None:
    with served(AdminApi({"GET /api/keys/explain?provider=acme": [(200, [])]}), home / "data"):
        assert "modelscan keys add acme" in run("keys", "explain", "acme").stderr


@pytest.mark.parametrize(("verdict", "code"), [("taken", 0), ("refused", 1)])
def test_a_key_is_tried(run: Run, home: Path, verdict: str, code: int) -> None:
    call = {"what": "models", "status": 200, "verdict": verdict, "detail": "3 models", "milliseconds": 12.3}
    tried = {"id": "abc", "prefix": "sk-c", "verdict": verdict, "why": "so it is", "calls": [call]}
    api = AdminApi({"POST /api/keys/test": [(200, tried)]})
    with served(api, home / "data"):
        shown, whole = run("keys", "test", "acme", "abc", "--chat"), run("keys", "test", "acme", "abc", "--json")
    assert (shown.exit_code, whole.exit_code) == (code, code)
    assert shown.stdout.splitlines()[1].split() == ["models", "200", "12", "ms", "3", "models"]
    assert shown.stdout.endswith("sk-c… (abc): so it is.\n")
    assert [body for _, body, _ in api.requests] == [
        {"provider": "acme", "key": "abc", "chat": True},
        {"provider": "acme", "key": "abc", "chat": False},
    ]


def test_a_key_of_which_nothing_could_be_asked_is_told_without_a_table(run: Run, home: Path) -> None:
    tried = {"id": "abc", "prefix": "sk-c", "verdict": "unclear", "why": "try --chat", "calls": []}
    with served(AdminApi({"POST /api/keys/test": [(200, tried)]}), home / "data"):
        assert run("keys", "test", "acme", "abc").stdout == "sk-c… (abc): try --chat.\n"


@pytest.mark.parametrize(
    ("words", "request_", "body", "said"),
    [
        (("disable",), "POST /api/keys/disable", {"provider": "acme", "key": "abc"}, "is not used any more"),
        (("enable",), "POST /api/keys/enable", {"provider": "acme", "key": "abc"}, "is used again"),
        (("delete",), "DELETE /api/keys?provider=acme&key=abc", None, "is deleted here"),
        (
            ("limit", "--rpm", "500", "--tpm", "0"),
            "POST /api/keys/limit",
            {"provider": "acme", "key": "abc", "rpm": 500, "tpm": None},
            "has 500 requests a minute",
        ),
        (
            ("rotate", "--api-key", SECRET),
            "POST /api/keys/rotate",
            {"provider": "acme", "key": "abc", "api_key": SECRET},
            "has taken the place of abc",
        ),
    ],
)
def test_a_key_is_changed(
    run: Run, home: Path, words: tuple[str, ...], request_: str, body: dict[str, Any] | None, said: str
) -> None:
    api = AdminApi({request_: [(200, KEY)]})
    command = ("keys", words[0], "acme", "abc", *words[1:])
    with served(api, home / "data"):
        shown, whole = run(*command), run(*command, "--json")
    assert f"acme's key sk-c… (abc, main) {said}" in shown.stdout
    assert json.loads(whole.stdout) == KEY
    assert [one[:2] for one in api.requests] == [(request_, body)] * 2
    assert SECRET not in shown.output


def test_a_key_itself_is_no_name_for_it(run: Run, home: Path) -> None:
    secret = f"sk-proj-{'a1' * 20}"
    with served(AdminApi({}), home / "data") as api:
        refused = run("keys", "delete", "acme", secret)
    assert (refused.exit_code, api.requests) == (1, [])
    assert "looks like the key itself" in refused.stderr
    assert secret not in refused.output


def test_a_limit_must_be_named(run: Run, home: Path) -> None:
    with served(AdminApi({}), home / "data") as api:
        refused = run("keys", "limit", "acme", "abc")
    assert (refused.exit_code, api.requests) == (1, [])
    assert "--rpm" in refused.stderr


def test_a_key_is_given_with_a_label(run: Run, home: Path) -> None:
    api = AdminApi({"POST /api/keys/add": [(201, KEY)]})
    with served(api, home / "data"):
        run("keys", "add", "acme", "--label", "main", "--api-key", SECRET)
    assert api.requests[0][1] == {"provider": "acme", "api_key": SECRET, "label": "main"}


def test_the_list_tells_limits_and_why_a_key_is_not_used(run: Run, home: Path) -> None:
    (home / "data").mkdir()
    database = Database(home / "data" / "modelscan.duckdb")
    migrate(database)
    fields: tuple[dict[str, Any], ...] = (
        {"label": "main", "rpm": 500, "daily": 10_000},
        {"rests_until": datetime(2096, 11, 27, 8, 30, tzinfo=UTC)},
        {"rests_until": datetime(2020, 1, 1, tzinfo=UTC)},
        {"state": "disabled", "disabled_for": "refused", "fault_status": 401},
        {"state": "disabled", "disabled_for": "operator"},
        {"state": "disabled"},
    )
    for number, changed in enumerate(fields):
        key = add_key(database, Custody(SecretStr("m" * 40)), "acme", SecretStr(f"sk-{number}-0123456789"))
        table.change(database, key, **changed)
    shown = run("keys", "list", "acme").stdout
    assert "500 requests a minute, 10,000 requests a day" in shown
    for state in ("rests until 2096-11-27 08:30:00Z", "disabled: refused with 401", "disabled: by you", "disabled  "):
        assert state in shown
    assert "2020" not in shown
