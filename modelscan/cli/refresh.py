"""`modelscan refresh`: have the service look at every known provider again, and follow it."""

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from modelscan.cli.access import service_of
from modelscan.cli.display import print_json
from modelscan.cli.service import Service
from modelscan.cli.session import Session, json_option
from modelscan.errors import ServiceUnavailable
from modelscan.visible import visible

__all__ = ["refresh"]

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 60.0
"""How long a service, or its Prefect, that went away may take to come back."""


@click.command()
@click.option("--prices", is_flag=True, help="Take up prices alone.")
@click.option("--all", "everything", is_flag=True, help="Have the lists sent even where they did not change.")
@json_option
@click.pass_context
def refresh(context: click.Context, prices: bool, everything: bool) -> None:
    """Look at every known provider again, and show what changed."""
    session: Session = context.obj
    service = service_of(session)
    begun = service.post("/api/refresh", {"prices": prices, "all": everything})
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True, quiet=session.as_json),
        transient=True,
    ) as bar:
        shown = bar.add_task(begun["flow"], total=100)
        ended = _followed(service, begun, lambda run: bar.update(shown, completed=run["percent"]))
    if session.as_json:
        print_json(ended)
    elif ended["state"] == "succeeded":
        _conclude(ended)
    else:
        click.echo(f"The run {ended['id']} of {ended['flow']} failed: {visible(ended['detail'])}", err=True)
        click.echo("What it finished is kept: modelscan refresh goes on there.", err=True)
    if ended["state"] != "succeeded":
        context.exit(1)


def _followed(service: Service, run: dict[str, Any], show: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Poll until the run has ended; raises ServiceUnavailable if the service stays away."""
    gone_since: float | None = None
    while run["state"] in ("queued", "running"):
        show(run)
        time.sleep(POLL_SECONDS)
        try:
            run = service.get(f"/api/refresh/{run['id']}")
            gone_since = None
        except ServiceUnavailable:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > PATIENCE_SECONDS:
                raise
    return run


def _conclude(ended: dict[str, Any]) -> None:
    head = ended["summary"].partition("\n\n")[0].lstrip("# ")
    click.secho(f"{visible(head) or 'Done'}.", bold=True)
    if " changes" in head and "0 changes" not in head.split(", "):
        click.echo("See them: modelscan changes")
    if " held" in head:
        click.echo("Decide on those that are held: modelscan changes --state held")
