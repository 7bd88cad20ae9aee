"""`modelscan keys`: the providers' keys, of which only a prefix is ever shown."""

from collections.abc import Callable
from typing import Any

import click

from modelscan.catalog import keys as key_rows
from modelscan.cli.access import service_of
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.display import print_json, print_rows
from modelscan.cli.master import rotate
from modelscan.cli.secrets import key_options, read_key
from modelscan.cli.session import Session, json_option
from modelscan.types import ApiKey

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """List the providers' keys, or add one."""


@keys.command("list")
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def list_keys(session: Session, provider: str | None) -> None:
    """List the keys of PROVIDER, or of all: where each came from and how much it was used."""
    columns: dict[str, Callable[[ApiKey], Any]] = {
        "provider": lambda row: row.provider,
        "key": lambda row: f"{row.prefix}…",
        "id": lambda row: row.id,
        "from": lambda row: row.origin,
        "only for": lambda row: row.host,
        "state": lambda row: row.state,
        "requests": lambda row: row.requests,
        "tokens": lambda row: row.tokens,
    }
    database = catalogue_of(session)
    rows = key_rows.list_keys(database, provider) if database else ()
    print_rows(session, rows, columns, empty="There is no key yet. Add one: modelscan keys add PROVIDER")


@keys.command("add")
@click.argument("provider")
@key_options
@json_option
@click.pass_obj
def add_key(session: Session, provider: str, api_key: str | None, api_key_stdin: bool) -> None:
    """Give the running service a key of PROVIDER; it is asked for where no option gives it."""
    service = service_of(session)
    secret = read_key(api_key, api_key_stdin) or click.prompt("Key", hide_input=True, err=True)
    added = service.post("/api/keys/add", {"provider": provider, "api_key": secret})
    if session.as_json:
        print_json(added)
    else:
        click.echo(f"{provider} has the key {added['prefix']}… ({added['id']}).")


keys.add_command(rotate)
