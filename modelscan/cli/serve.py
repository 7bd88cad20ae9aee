"""`modelscan serve`: the service, until it is told to end."""

import os
import sys
from pathlib import Path

import click

from modelscan.cli.access import loaded_of, settings_of
from modelscan.cli.session import Session
from router_app.serve import run

__all__ = ["serve"]


@click.command()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)
@click.pass_obj
def serve(session: Session, config_file: Path | None) -> None:
    """Start the service: the router, Prefect and the discovery runner.

    It ends with SIGINT or SIGTERM, once running requests have finished.
    """
    session.config_file = config_file or session.config_file
    if session.config_file:
        # The Prefect API and the runner are processes of their own, which read the same file.
        os.environ["MODELSCAN_CONFIG"] = str(session.config_file.resolve())
    settings = settings_of(session)
    sys.exit(run(settings, loaded_of(session).warnings))
