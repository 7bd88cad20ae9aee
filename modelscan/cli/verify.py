"""`modelscan verify`: run a published client's contract test again."""

import asyncio
import os

import click
from pydantic import SecretStr

from modelscan.cli.access import settings_of
from modelscan.cli.catalogue import published
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.clients.keeping import source_of
from modelscan.codegen.spec_literal import read_spec
from modelscan.custody.sealing import Custody
from modelscan.settings import Settings
from modelscan.types import Level, ValidationReport
from modelscan.validation.again import key_of, proved_again
from modelscan.validation.sandbox import Sandbox
from modelscan.visible import visible

__all__ = ["verify"]


@click.command()
@click.argument("provider")
@click.option("--live", is_flag=True, help="Also against the real provider, with its stored key: a few tiny requests.")
@json_option
@click.pass_context
def verify(context: click.Context, provider: str, live: bool) -> None:
    """Run the contract test of PROVIDER's published client again, and show each case.

    Exits with 1 where a case failed, and with --live where the level live was not reached.
    """
    session: Session = context.obj
    settings = settings_of(session)
    database, version = published(session, provider)
    source = source_of(database, settings.generation.path, version).client
    key = key_of(database, Custody.load(settings.data_dir, os.environ), read_spec(source)) if live else None
    report = asyncio.run(_validated(settings, source, key, live))
    if session.as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report, provider, live=live)
    if not report.green or (live and report.level is not Level.LIVE):
        context.exit(1)


async def _validated(settings: Settings, source: bytes, key: SecretStr | None, live: bool) -> ValidationReport:
    with Sandbox() as sandbox:
        return await proved_again(settings, source, sandbox=sandbox, key=key, reach=live)


def _print(report: ValidationReport, provider: str, *, live: bool) -> None:
    rows = ((result.level, result.case, result.outcome, result.seconds, result.detail) for result in report.results)
    print_table(("level", "case", "outcome", "s", "detail"), rows)
    click.secho(f"{provider} is proved to level {report.level}.", bold=True)
    if report.green and not live:
        click.echo("With --live the real provider is asked too.")
    elif report.why_not_higher:
        click.echo(f"Not higher: {visible(report.why_not_higher)}")
