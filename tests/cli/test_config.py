"""`modelscan config`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

SECRET = "sk-canary-1234567890"
RIGHT = f"server: {{port: 9}}\napi_keys:\n  acme: [{SECRET}]\n  beta: [{SECRET}, {SECRET}2]\n"


def test_check_is_content_without_a_file(run: Run) -> None:
    done = run("config", "check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "There is no config.yaml" in done.stdout


def test_check_is_content_with_a_right_file(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(RIGHT)
    assert run("config", "check").stdout == "config.yaml is right.\n"
    assert json.loads(run("config", "check", "--json").stdout) == {"file": "config.yaml", "warnings": []}


def test_check_exits_1_and_names_file_line_column_and_key(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text("server:\n  port: many\n")
    done = run("config", "check")
    assert done.exit_code == 1
    assert done.stdout.startswith("config.yaml:2:3: server.port: ")
    told = run("config", "check", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["warnings"][0]["line"] == 2


def test_show_says_each_value_and_where_it_came_from(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.yaml").write_text(RIGHT)
    monkeypatch.setenv("MODELSCAN_DATABASE_WAIT_SECONDS", "5")
    shown = json.loads(run("config", "show", "--json").stdout)
    assert shown["server.port"] == {"value": 9, "origin": "config.yaml:1"}
    assert shown["database.wait_seconds"] == {"value": 5.0, "origin": "MODELSCAN_DATABASE_WAIT_SECONDS"}
    assert shown["api_keys.acme"] == {"value": "1 key", "origin": "config.yaml:3"}
    assert shown["discovery.allowed_private_hosts"] == {"value": [], "origin": "default"}


def test_show_never_shows_a_key(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(RIGHT)
    shown = run("config", "show")
    assert "2 keys" in shown.stdout
    assert SECRET not in shown.output


def test_every_other_command_warns_on_stderr(run: Run, home: Path) -> None:
    (home / "mine.yaml").write_text("nonsense: 1\n")
    done = run("--config", "mine.yaml", "config", "show")
    assert done.exit_code == 0
    assert done.stderr == "Warning: mine.yaml:1:1: nonsense: this key is unknown; it is ignored\n"


def test_a_missing_named_file_is_an_error(run: Run) -> None:
    done = run("--config", "none.yaml", "config", "check")
    assert done.exit_code == 1
    assert "none.yaml cannot be read" in done.stderr
