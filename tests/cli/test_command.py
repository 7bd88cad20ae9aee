"""The command as a whole: quick help, version, and rows that say what the commands say."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pytest

from modelscan import __version__
from modelscan.cli import COMMANDS, modelscan
from modelscan.cli.lazy import Command, LazyGroup
from modelscan.settings import ConfigWarning, Settings
from tests.cli.conftest import Run

HEAVY = ("duckdb", "httpx2", "openai", "prefect", "pydantic", "rich", "starlette", "yaml")


def test_help_lists_every_command(run: Run) -> None:
    shown = subprocess.run([sys.executable, "-m", "modelscan", "--help"], capture_output=True, text=True, check=True)
    assert all(f"  {row.name} " in shown.stdout for row in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, modelscan.cli; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout == f"modelscan, version {__version__}\n"


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_a_row_says_what_its_command_is_called_and_does(row: Command) -> None:
    command = LazyGroup.command_of(row)
    assert command.name == row.name
    assert command.help
    context = click.Context(command)
    assert "--json" in command.get_help(context) or row.name == "serve" or isinstance(command, click.Group)


def test_the_shell_may_complete_the_commands() -> None:
    with click.Context(modelscan) as context:
        assert modelscan.list_commands(context) == [row.name for row in COMMANDS]


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    done = run("nonsense")
    assert done.exit_code == 2
    assert "No such command" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--config", "mine.yaml"], ["--config", "mine.yaml", "serve"], ["serve", "--config", "mine.yaml"]]
)
def test_the_service_is_started_with_the_file_that_was_named(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (home / "mine.yaml").write_text("server: {port: 9, nonsense: 1}")
    started: list[tuple[int, int, str]] = []

    def start(settings: Settings, warnings: Sequence[ConfigWarning], environ: Mapping[str, str]) -> int:
        started.append((settings.server.port, len(warnings), environ["MODELSCAN_CONFIG"]))
        return 7

    monkeypatch.setattr("modelscan.cli.serve.run", start)
    assert run(*arguments).exit_code == 7
    assert started == [(9, 1, str(home / "mine.yaml"))]
