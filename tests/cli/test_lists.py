"""The commands that read the catalogue, and `modelscan keys`."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.keys.store import add_key
from modelscan.types import UsageEvent, utc_now
from modelscan.usage.flush import flush
from modelscan.usage.journal import Journal
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run
from tests.cli.published import publish

KEY = "sk-canary-1234567890"
LISTS = (("providers",), ("models",), ("models", "acme"), ("keys", "list"), ("sdks",), ("stats",))


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_with_nothing_there_a_list_says_what_to_do_and_makes_nothing(
    run: Run, home: Path, command: tuple[str, ...]
) -> None:
    done = run(*command)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr
    assert json.loads(run(*command, "--json").stdout) == []
    assert list(home.iterdir()) == []


def test_providers_models_and_sdks_are_listed(run: Run, home: Path) -> None:
    publish(home)
    assert "demo" in run("providers").stdout
    assert "http://127.0.0.1:9/v1" in run("providers").stdout
    line = run("models").stdout.splitlines()[1]
    assert line.split() == ["demo/echo", "8,192", "-", "0.5", "-", "tool_call"]
    assert "No network." in run("sdks").stdout


def test_the_same_in_json_has_every_field(run: Run, home: Path) -> None:
    publish(home)
    assert json.loads(run("providers", "--json").stdout)[0]["level"] == "contract"
    assert Decimal(json.loads(run("models", "demo", "--json").stdout)[0]["price"]["input_mtok"]) == Decimal("0.5")
    assert json.loads(run("models", "other", "--json").stdout) == []
    assert json.loads(run("sdks", "--json").stdout)[0]["active"] is True


def test_stats_add_up_what_the_journal_brought(run: Run, home: Path) -> None:
    publish(home)
    journal = Journal(home / "data" / "journal")
    for number in range(3):
        journal.append(
            UsageEvent(
                request_id=f"r{number}",
                at=utc_now() - timedelta(seconds=number),
                asked_model="demo/echo",
                provider="demo",
                model="echo",
                status=200,
                prompt_tokens=10,
                completion_tokens=2,
                latency_ms=5.0,
                generation=1,
            )
        )
    flush(journal, Database(home / "data" / "modelscan.duckdb"))
    journal.close()
    assert json.loads(run("stats", "--json").stdout)[0]["prompt_tokens"] == 30
    assert json.loads(run("stats", "--model", "other", "--json").stdout) == []
    assert run("stats", "--model", "echo").stdout.splitlines()[1].split()[:5] == ["demo", "echo", "3", "0", "30"]


def test_keys_are_listed_by_their_first_characters(run: Run, home: Path) -> None:
    publish(home)
    add_key(Database(home / "data" / "modelscan.duckdb"), Custody(SecretStr("m")), "demo", SecretStr(KEY))
    shown = run("keys", "list", "demo")
    assert "sk-ca…" in shown.stdout
    assert KEY not in shown.output
    assert json.loads(run("keys", "list", "--json").stdout)[0]["origin"] == "api"


ADDED = {"POST /api/keys/add": [(201, {"id": "abc", "prefix": "sk-c", "provider": "demo"})]}


@pytest.mark.parametrize(
    ("arguments", "typed"), [(["--api-key", KEY], None), (["--api-key-stdin"], f"{KEY}\n"), ([], f"{KEY}\n")]
)
def test_a_key_is_given_to_the_service(run: Run, home: Path, arguments: list[str], typed: str | None) -> None:
    with served(AdminApi(dict(ADDED)), home / "data") as api:
        done = run("keys", "add", "demo", *arguments, input=typed)
    assert done.exit_code == 0, done.stderr
    assert api.requests[0][1] == {"provider": "demo", "api_key": KEY}
    assert "demo has the key sk-c… (abc)." in done.stdout
    assert KEY not in done.output


def test_keys_add_in_json(run: Run, home: Path) -> None:
    with served(AdminApi(dict(ADDED)), home / "data"):
        assert json.loads(run("keys", "add", "demo", "--api-key", KEY, "--json").stdout)["id"] == "abc"
