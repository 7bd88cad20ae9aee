"""What one call of the command was told on its command line; light, because help is made with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from modelscan.settings import Loaded

__all__ = ["Session", "json_option"]

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Session:
    """Made once a call."""

    config_file: Path | None = None
    as_json: bool = False
    loaded: Loaded | None = None
    """Filled by `modelscan.cli.access` when a command first asks for the settings."""


def _remember(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.ensure_object(Session).as_json = value


def json_option(command: Function) -> Function:
    """Give a command `--json`, which its session remembers."""
    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=_remember, help="Print JSON instead of text."
    )
    return option(command)
