"""`modelscan usage`: what becomes of usage rows once they are kept."""

import click

from modelscan.cli.reprice import audits, reprice
from modelscan.cli.usage_export import export

__all__ = ["usage"]


@click.group()
def usage() -> None:
    """Write usage to a file, or price it anew where its price was corrected."""


usage.add_command(export)
usage.add_command(reprice)
usage.add_command(audits)
