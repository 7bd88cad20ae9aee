"""A group of commands that imports a command's module only when that command is called."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from modelscan.cli.errors import show_error
from modelscan.errors import ModelScanError

__all__ = ["Command", "LazyGroup"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, where it stands (`module:attribute`), and its line in the group's help."""

    name: str
    target: str
    summary: str


class LazyGroup(click.Group):
    """A click group of `Command` rows; a ModelScanError that a command raises is shown, and the exit code is 1."""

    def __init__(self, *arguments: Any, rows: Sequence[Command] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rows = {row.name: row for row in rows}

    @staticmethod
    def command_of(row: Command) -> click.Command:
        """Import the row's command."""
        module, _, attribute = row.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        row = self.rows.get(cmd_name)
        return self.command_of(row) if row else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summaries of the rows, for which nothing need be imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(row.name, row.summary) for row in self.rows.values()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModelScanError as error:
            show_error(error, as_json=getattr(ctx.obj, "as_json", False))
            ctx.exit(1)
