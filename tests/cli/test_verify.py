"""`modelscan verify`, with the real sandbox and the reference provider."""

import json
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.keys.store import add_key
from modelscan.reference.app import create_reference
from modelscan.reference.server import serve_in_thread
from modelscan.types import Auth
from tests.cli.conftest import Run
from tests.cli.published import publish

KEY = "sk-canary-1234567890"


def test_a_provider_without_a_client_is_an_error(run: Run, home: Path) -> None:
    done = run("verify", "demo")
    assert done.exit_code == 1
    assert "modelscan add demo" in done.stderr


def test_the_contract_is_proved_again(run: Run, home: Path) -> None:
    publish(home)
    done = run("verify", "demo")
    assert done.exit_code == 0, done.output
    assert "demo is proved to level contract." in done.stdout
    assert "chats" in done.stdout
    assert "With --live the real provider is asked too." in done.stdout


def test_a_file_that_was_changed_and_is_not_kept_is_refused(run: Run, home: Path) -> None:
    published = home / "generated" / publish(home, keep=False).path
    published.write_text(published.read_text() + "\n")
    assert run("verify", "demo").exit_code == 1


def test_a_test_that_was_changed_is_not_run(run: Run, home: Path) -> None:
    published = publish(home)
    (home / "generated" / f"test_{published.path}").write_text("open('ran', 'w')\n")
    assert run("verify", "demo").exit_code == 0
    assert not list(home.rglob("ran"))


def test_live_needs_a_key(run: Run, home: Path) -> None:
    publish(home, "acme", auth=Auth())
    done = run("verify", "acme", "--live")
    assert done.exit_code == 1
    assert "modelscan keys add acme" in done.stderr


def test_live_proves_it_at_the_real_server(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_in_thread(create_reference(models=("echo",), key=KEY)) as origin:
        publish(home, "acme", base_url=f"{origin}/v1", operator_host=True, auth=Auth())
        custody = Custody.load(home / "data", os.environ)
        add_key(Database(home / "data" / "modelscan.duckdb"), custody, "acme", SecretStr(KEY))
        done = run("verify", "acme", "--live", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["level"] == "live"
    assert KEY not in done.output


def test_live_exits_with_1_where_nobody_answers(run: Run, home: Path) -> None:
    publish(home)
    done = run("verify", "demo", "--live")
    assert done.exit_code == 1
    assert "Not higher: " in done.stdout
    assert "demo is proved to level contract." in done.stdout
