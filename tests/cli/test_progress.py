"""The live view of a discovery."""

import io
from typing import Any

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


def loop(number: int, *failed: str, changes: list[dict[str, str]] | None = None) -> dict[str, Any]:
    results = [{"case": case, "level": "live", "outcome": "failed"} for case in failed]
    report = {"level": "contract", "results": results}
    return {"number": number, "proposal": "p", "spec_digest": "d", "changes": changes or [], "report": report}


def test_each_loop_is_shown_once_with_what_failed_and_what_it_changed() -> None:
    written = io.StringIO()
    changed = [{"field": "base_url", "before": "http://[a]", "after": "http://b"}]
    loops = [loop(1, "chats", "chats", "lists_models"), loop(2, changes=changed)]
    with Progress(console=Console(file=written, width=20)) as progress:
        progress.show(Discovery.model_validate(discovery("running", attempts=loops[:1])))
        progress.show(Discovery.model_validate(discovery("running", attempts=loops)))
        progress.show(Discovery.model_validate(discovery("succeeded", attempts=loops)))
    assert written.getvalue().splitlines() == [
        "  loop 1 is red: chats, lists_models",
        "  loop 2 changed base_url: http://[a] → http://b",
    ]
