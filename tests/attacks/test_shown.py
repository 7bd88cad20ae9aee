"""What is shown of foreign text, on a terminal, in a log and in the Prefect UI, steers nothing and forges no line."""

import io
import json
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.cli import modelscan
from modelscan.cli.errors import show_error
from modelscan.cli.progress import Progress
from modelscan.errors import UnknownIdentifier
from modelscan.types import Discovery, Level, ValidationReport
from modelscan.usage.journal import Journal
from router_app.serve import OneLine
from tests.attacks.table import Attack, attacks
from tests.catalogues import migrate
from tests.cli.admin_api import discovery, step
from tests.tasks.test_reporting import RECORD, dossier
from tests.tasks.test_reporting import spec as a_spec
from tests.usage.test_journal import event

TEXTS = (
    Attack("colour", "\x1b[31mred\x1b[0m"),
    Attack("title of the window", "\x1b]0;owned\x07"),
    Attack("link of a terminal", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\"),
    Attack("clipboard", "\x1b]52;c;ZXZpbA==\x07"),
    Attack("clear the screen", "\x1b[2J\x1b[H"),
    Attack("eight-bit control", "\x9b31mred\x9d0;owned\x9c"),
    Attack("backspaces", "bad\x08\x08\x08good"),
    Attack("carriage return", "failed\rpassed"),
    Attack("a line of its own", "x\n✓ validate 0.10 s live: 9 of 9 cases passed"),
    Attack("other line ends", "x\x0b\x0c\x85\u2028\u2029y"),
    Attack("right to left", "\u202egnihton\u2066"),
    Attack("zero width", "a\u200bb\ufeff"),
    Attack("null byte", "a\0b"),
    Attack("markup of rich", "[bold red]x[/] [link=https://evil.example]y[/link]"),
    Attack("invisible letters", "\U000e0041\U000e0042"),
)


def is_harmless(text: str) -> bool:
    return all(one.isprintable() or one == "\n" for one in text)


@attacks(*TEXTS)
def test_the_lists_show_such_a_name_on_one_line(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSCAN_DATA_DIR", str(tmp_path))
    database = Database(tmp_path / "modelscan.duckdb")
    migrate(database)
    report = ValidationReport(level=Level.CONTRACT, why_not_higher=attack.hostile)
    spec = a_spec(name=attack.hostile)
    versions.publish(database, spec, path="acme.py", sha256="0" * 64, report=report)
    for command, lines in (("providers", 2), ("sdks", 2)):
        shown = CliRunner().invoke(modelscan, [command])
        assert shown.exit_code == 0, shown.output
        assert is_harmless(shown.stdout)
        assert shown.stdout.count("\n") == lines
        as_json = CliRunner().invoke(modelscan, [command, "--json"])
        assert is_harmless(as_json.stdout)
        assert attack.hostile in json.loads(as_json.stdout)[0].values()


@attacks(*TEXTS)
def test_an_error_and_the_steps_of_a_run_show_it_on_one_line(
    attack: Attack, capsys: pytest.CaptureFixture[str]
) -> None:
    error = UnknownIdentifier(attack.hostile, hint=attack.hostile, nearest=[attack.hostile + "?"])
    with click.Context(modelscan, color=True):  # As on a terminal: click takes no colour away.
        show_error(error, as_json=False)
    shown = capsys.readouterr().err.replace("\x1b[31mError: ", "Error: ", 1).replace("\x1b[0m\n", "\n", 1)
    written = io.StringIO()
    with Progress(console=Console(file=written, width=1000)) as progress:
        told = {**step(1, attack.hostile), "detail": attack.hostile}
        progress.show(Discovery.model_validate(discovery("running", told)))
    assert is_harmless(shown)
    assert shown.count("\n") == 3
    assert is_harmless(written.getvalue())
    assert written.getvalue().count("\n") == 1


@attacks(*TEXTS)
def test_the_dossier_in_the_prefect_ui_keeps_its_tables(attack: Attack) -> None:
    plain, hostile = (dossier(a_spec(name=name), RECORD) for name in ("plain", attack.hostile))
    assert is_harmless(hostile)
    assert hostile.count("\n") == plain.count("\n")
    assert hostile.count("|") - hostile.count("\\|") == plain.count("|") - plain.count("\\|")


@attacks(*TEXTS)
def test_the_log_has_one_line_for_it(attack: Attack) -> None:
    record = logging.LogRecord("a", logging.ERROR, "a.py", 1, "a provider said %s", (attack.hostile,), None)
    line = OneLine("%(levelname)s %(message)s").format(record)
    assert line.startswith("ERROR a provider said ")
    assert line.isprintable()


@attacks(*TEXTS)
def test_a_models_name_makes_one_line_of_the_journal(attack: Attack, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(event("r1", asked_model=attack.hostile))
    journal.close()
    (file,) = tmp_path.glob("*.jsonl")
    (line,) = file.read_bytes().split(b"\n")[:-1]
    assert json.loads(line)["asked_model"] == attack.hostile
