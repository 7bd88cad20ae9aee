"""`modelscan serve`: the service, until it is told to end."""

import os
import sys
from pathlib import Path

import click

from modelscan.cli.access import loaded_of
from modelscan.cli.session import Session
from router_app.serve import run

__all__ = ["serve"]


@click.command()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)
@click.option(
    "--open", "open_anyway", is_flag=True, help="Listen where others reach it, though no token was issued: server.open."
)
@click.pass_obj
def serve(session: Session, config_file: Path | None, open_anyway: bool) -> None:
    """Start the service: the router, Prefect and the discovery runner.

    It ends with SIGINT or SIGTERM, once running requests have finished.
    """
    session.config_file = config_file or session.config_file
    loaded = loaded_of(session)
    settings = loaded.settings
    if open_anyway:
        settings = settings.model_copy(update={"server": settings.server.model_copy(update={"open": True})})
    # The processes that the service starts read the same file.
    named = {"MODELSCAN_CONFIG": str(session.config_file.resolve())} if session.config_file else {}
    sys.exit(run(settings, loaded.warnings, {**os.environ, **named}))
