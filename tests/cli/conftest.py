"""The command, called in a folder of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelscan.cli import modelscan

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the calls."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    """`run("add", "demo/echo")`, with `input` as standard input."""

    def call(*arguments: str, input: str | None = None) -> Result:
        return CliRunner().invoke(modelscan, list(arguments), input=input, prog_name="modelscan")

    return call
