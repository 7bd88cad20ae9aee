"""`modelscan keys rotate-master`, with a service and without one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.custody.master import Masters
from modelscan.custody.sealing import Custody
from modelscan.keys import store
from tests.catalogues import migrate
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run

NEW = "canary-new-master-" + "n" * 30
TOLD = {"id": "0123456789abcdef", "resealed": 2, "unopened": 0, "in_environment": True}
ASKED = "POST /api/keys/rotate-master"


def with_a_key(home: Path) -> Database:
    database = Database(home / "data" / "modelscan.duckdb")
    migrate(database)
    store.add_key(database, Custody.load(home / "data", os.environ), "acme", SecretStr("sk-acme-0123456789"))
    return database


def test_without_a_service_the_command_does_it_itself(run: Run, home: Path) -> None:
    database, masters = with_a_key(home), Masters(home / "data", {})
    before = masters.read()
    done = run("keys", "rotate-master")
    assert done.exit_code == 0, done.output
    assert "1 secrets are sealed under it now" in done.stdout
    assert "Back it up" in done.stdout
    assert masters.read() != before
    assert len(store.load(database, Custody.load(home / "data", {}))["acme"]) == 1


def test_the_new_key_of_the_environment_takes_the_old_ones_place(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSCAN_MASTER_KEY", "o" * 40)
    database = with_a_key(home)
    refused = run("keys", "rotate-master")
    assert (refused.exit_code, "MODELSCAN_NEW_MASTER_KEY" in refused.stderr) == (1, True)
    monkeypatch.setenv("MODELSCAN_NEW_MASTER_KEY", NEW)
    done = run("keys", "rotate-master", "--json")
    assert json.loads(done.stdout)["resealed"] == 1
    assert NEW not in done.output
    assert len(store.load(database, Custody(SecretStr(NEW)))["acme"]) == 1


def test_a_service_that_runs_is_asked_for_it(run: Run, home: Path) -> None:
    answers: dict[str, list[tuple[int, Any]]] = {
        "GET /health": [(503, {"status": "starting"})],
        ASKED: [(200, {**TOLD, "unopened": 1})],
    }
    with served(AdminApi(answers), home / "data") as api:
        done = run("keys", "rotate-master", "--new-key-stdin", input=f"{NEW}\n")
        assert api.requests[-1][1] == {"new_key": NEW}
        assert run("keys", "rotate-master").exit_code == 0
        assert api.requests[-1][1] == {"new_key": None}
    assert "Set MODELSCAN_MASTER_KEY to the new key before the next start" in done.stdout
    assert "1 did not open with the old one" in done.stdout
    assert NEW not in done.output


def test_a_service_that_was_killed_is_not_waited_for(run: Run, home: Path) -> None:
    with_a_key(home)
    with served(AdminApi({}), home / "data"):
        pass
    assert run("keys", "rotate-master").exit_code == 0


def test_standard_input_without_a_key_is_a_mistake(run: Run, home: Path) -> None:
    done = run("keys", "rotate-master", "--new-key-stdin", input="\n")
    assert (done.exit_code, "No key came" in done.stderr) == (2, True)
    assert not (home / "data" / "master.key").exists()
