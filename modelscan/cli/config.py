"""`modelscan config`: is the configuration right, and what is in force."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click
from pydantic import BaseModel, SecretStr

from modelscan.cli.access import loaded_of, settings_of
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.settings import Settings

__all__ = ["config", "shown"]


@click.group()
def config() -> None:
    """Check or show the configuration."""


@config.command()
@json_option
@click.pass_context
def check(context: click.Context) -> None:
    """Say everything that is wrong with the configuration; exit with 1 if anything is."""
    session: Session = context.obj
    loaded = loaded_of(session)
    file = str(loaded.path) if loaded.path else None
    if session.as_json:
        print_json({"file": file, "warnings": [asdict(warning) for warning in loaded.warnings]})
    for warning in () if session.as_json else loaded.warnings:
        click.echo(str(warning))
    if loaded.warnings:
        context.exit(1)
    if not session.as_json:
        click.echo(f"{file} is right." if file else "There is no config.yaml: the defaults and the environment count.")


@config.command()
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """Show every setting in force and where it came from. Keys are only counted."""
    settings, origins = settings_of(session), loaded_of(session).origins
    rows = [(key, value, origins.get(key, "default")) for key, value in shown(settings)]
    if session.as_json:
        print_json({key: {"value": value, "origin": origin} for key, value, origin in rows})
    else:
        print_table(("setting", "value", "from"), ((key, str(value), origin) for key, value, origin in rows))


def shown(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Each setting as `section.key` and a value that may be seen."""
    for section in Settings.model_fields:
        value = getattr(settings, section)
        if isinstance(value, BaseModel):
            yield from ((f"{section}.{key}", _plain(getattr(value, key))) for key in type(value).model_fields)
        elif isinstance(value, dict):
            yield from ((f"{section}.{key}", _counted(secrets)) for key, secrets in sorted(value.items()))
        else:
            yield section, _plain(value)


def _counted(secrets: tuple[SecretStr, ...]) -> str:
    return f"{len(secrets)} key{'' if len(secrets) == 1 else 's'}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [
            one.model_dump(mode="json", exclude_defaults=True) if isinstance(one, BaseModel) else one for one in value
        ]
    return value if isinstance(value, int | float) else str(value)
