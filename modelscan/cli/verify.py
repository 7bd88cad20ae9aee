"""`modelscan verify`: run a published client's contract test again."""

import asyncio
import os

import click
from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.cli.access import settings_of
from modelscan.cli.catalogue import published
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.clients.loader import load as load_client
from modelscan.clients.loader import published_bytes
from modelscan.codegen.render import render_test
from modelscan.custody.sealing import Custody
from modelscan.errors import NoUsableKey
from modelscan.keys import store
from modelscan.settings import Settings
from modelscan.sources.http import host_port, open_client
from modelscan.types import ClientSpec, Level, SdkVersion, ValidationReport
from modelscan.validation.runner import validate
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
    spec = load_client(settings.generation.path, version)
    key = _key(settings, database, spec) if live else None
    report = asyncio.run(_validated(settings, version, spec, key, live))
    if session.as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report, provider, live=live)
    if not report.green or (live and report.level is not Level.LIVE):
        context.exit(1)


def _key(settings: Settings, database: Database, spec: ClientSpec) -> SecretStr | None:
    if spec.auth.kind == "none":
        return None
    keys = store.load(database, Custody.load(settings.data_dir, os.environ)).get(spec.provider, ())
    usable = store.sendable(keys, host_port(spec.base_url) if spec.operator_host else None)
    if not usable:
        raise NoUsableKey(
            f"{spec.provider} has no key to prove it with.", hint=f"Add one: modelscan keys add {spec.provider}"
        )
    return min(usable, key=lambda usable: usable.key.score).secret


async def _validated(
    settings: Settings, version: SdkVersion, spec: ClientSpec, key: SecretStr | None, live: bool
) -> ValidationReport:
    """The report on the client as it was published; the test is written anew, as nobody vouches for the file beside."""
    client = published_bytes(settings.generation.path, version).decode()
    # What the operator named by --base-url may be private; what a source named, only where the settings allow it.
    own = {host_port(spec.base_url)} if spec.operator_host else set()
    with Sandbox() as sandbox:
        async with open_client(
            allowed_private={*settings.discovery.allowed_private_hosts, *own},
            timeout=settings.discovery.timeout_seconds,
        ) as http:
            return await validate(
                spec,
                client,
                render_test(spec),
                sandbox=sandbox,
                key=key,
                http=http,
                reach=live,
                allowed_private=settings.discovery.allowed_private_hosts,
            )


def _print(report: ValidationReport, provider: str, *, live: bool) -> None:
    rows = ((result.level, result.case, result.outcome, result.seconds, result.detail) for result in report.results)
    print_table(("level", "case", "outcome", "s", "detail"), rows)
    click.secho(f"{provider} is proved to level {report.level}.", bold=True)
    if report.green and not live:
        click.echo("With --live the real provider is asked too.")
    elif report.why_not_higher:
        click.echo(f"Not higher: {visible(report.why_not_higher)}")
