"""`modelscan keys rotate-master`: another master key, whether the service runs or not."""

import os
import sys

import click
from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.cli.access import service_of, settings_of
from modelscan.cli.display import print_json
from modelscan.cli.service import Service
from modelscan.cli.session import Session, json_option
from modelscan.custody.master import Masters
from modelscan.custody.rotation import Rotated, rotate_master
from modelscan.errors import ServiceUnavailable

__all__ = ["rotate"]

_VARIABLE = "MODELSCAN_NEW_MASTER_KEY"


@click.command("rotate-master")
@click.option("--new-key-stdin", is_flag=True, help=f"Read the new key from standard input instead of {_VARIABLE}.")
@json_option
@click.pass_obj
def rotate(session: Session, new_key_stdin: bool) -> None:
    """Change the master key, under which the stored keys are sealed.

    The new one is taken from MODELSCAN_NEW_MASTER_KEY or standard input. Where the old one stands in master.key, it may
    be left out, and one is made. Killed at any moment, everything still opens.
    """
    given = sys.stdin.readline().strip() if new_key_stdin else os.environ.get(_VARIABLE, "").strip()
    if new_key_stdin and not given:
        raise click.UsageError("No key came on standard input.")
    service = _running(session)
    done = _asked(service, given) if service else _here(session, given)
    if session.as_json:
        print_json(done.model_dump(mode="json"))
        return
    click.echo(f"The master key is another one ({done.id}): {done.resealed} secrets are sealed under it now.")
    if done.unopened:
        click.echo(f"{done.unopened} did not open with the old one and stay as they were: add those keys again.")
    if done.in_environment:
        click.echo("Set MODELSCAN_MASTER_KEY to the new key before the next start: the old one opens nothing any more.")
    else:
        click.echo("It stands in master.key of the data directory. Back it up: without it the stored keys are lost.")


def _running(session: Session) -> Service | None:
    """The service, if there is one that answers: it seals too, and must not go on with the old key."""
    try:
        service = service_of(session)
    except ServiceUnavailable:
        return None
    return service if service.answers() else None


def _asked(service: Service, given: str) -> Rotated:
    return Rotated.model_validate(service.post("/api/keys/rotate-master", {"new_key": given or None}))


def _here(session: Session, given: str) -> Rotated:
    settings = settings_of(session)
    database = Database(settings.database_path, settings.database.wait_seconds)
    migrate(database)
    masters = Masters(settings.data_dir, os.environ)
    return rotate_master(database, masters, SecretStr(given) if given else None)
