"""The commands that list what the catalogue holds; they work with the service up or down."""

from collections.abc import Callable
from typing import Any

import click

from modelscan.catalog import providers as provider_rows
from modelscan.cli.catalogue import NOTHING_YET, read_rows
from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.session import Session, json_option
from modelscan.types import Model, Price, Provider

__all__ = ["models", "providers"]


@click.command()
@json_option
@click.pass_obj
def providers(session: Session) -> None:
    """List the providers: their protocol, address, models, and what was proved of their client."""
    columns: dict[str, Callable[[Provider], Any]] = {
        "provider": lambda row: row.id,
        "name": lambda row: row.name,
        "state": lambda row: row.state,
        "level": lambda row: row.level,
        "version": lambda row: row.version,
        "models": lambda row: row.model_count,
        "protocol": lambda row: row.protocol,
        "base url": lambda row: row.base_url,
    }
    print_rows(session, read_rows(session, provider_rows.all_providers), columns, empty=NOTHING_YET)


@click.command()
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def models(session: Session, provider: str | None) -> None:
    """List the models, of PROVIDER or of all. Prices are US dollars per million tokens; a dash is unknown."""
    rows = read_rows(session, lambda database: provider_rows.models_of(database, provider))
    if session.as_json:
        print_json([{"provider": owner, **model.model_dump(mode="json")} for owner, model in rows])
    elif not rows:
        click.echo(
            f"No model of {provider} is known. Try: modelscan add {provider}" if provider else NOTHING_YET, err=True
        )
    else:
        titles = ("model", "context", "output", "in $/M", "out $/M", "can")
        print_table(titles, (_model_cells(owner, model) for owner, model in rows))


def _model_cells(owner: str, model: Model) -> tuple[Any, ...]:
    price = model.price or Price()
    name = f"{owner}/{model.id}"
    return name, model.context_tokens, model.output_tokens, price.input_mtok, price.output_mtok, _words(model)


def _words(model: Model) -> str | None:
    return ", ".join(model.capabilities) or None
