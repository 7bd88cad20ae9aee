"""The live view of a discovery."""

import io

from rich.console import Console

from modelscan.cli.progress import Progress
from modelscan.types import Discovery
from tests.cli.admin_api import discovery, step


def test_a_terminal_shows_what_runs_now() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80)
    with Progress(console=console) as progress:
        progress.show(Discovery.model_validate(discovery("queued")))
        progress.show(Discovery.model_validate(discovery("running", step(1, "fetch"), step(2, "validate", "running"))))
    assert "queued" in written.getvalue()
    assert "validate" in written.getvalue()
    assert "fetch" in written.getvalue()


def test_without_a_terminal_it_says_once_that_it_waits() -> None:
    written = io.StringIO()
    with Progress(console=Console(file=written)) as progress:
        for _ in range(3):
            progress.show(Discovery.model_validate(discovery("queued")))
    assert written.getvalue().count("queued") == 1
