"""`modelscan usage`: what becomes of usage rows once they are kept."""

import click

from modelscan.cli.reprice import audits, reprice

__all__ = ["usage"]


@click.group()
def usage() -> None:
    """Price usage anew where its price was corrected, or list when that was done."""


usage.add_command(reprice)
usage.add_command(audits)
