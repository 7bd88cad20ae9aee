"""Prints rows as a table for a person, or as JSON for a program."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import click
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelscan.cli.session import Session
from modelscan.visible import visible

__all__ = ["print_json", "print_rows"]

_FILE_WIDTH = 1000
Row = TypeVar("Row", bound=BaseModel)


def print_rows(
    session: Session, rows: Sequence[Row], columns: Mapping[str, Callable[[Row], Any]], *, empty: str
) -> None:
    """One line a row, a column a function of the row; `empty` is said where there is none. With --json all fields."""
    if session.as_json:
        print_json([row.model_dump(mode="json") for row in rows])
    elif not rows:
        click.echo(empty, err=True)
    else:
        print_table(columns, ([value(row) for value in columns.values()] for row in rows))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table without lines; numbers stand right, None is a dash, and nothing is cut where output is a file."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[_cell(value) for value in row] for row in rows]
    for number, title in enumerate(columns):
        table.add_column(title, justify="right" if cells and cells[0][number].justify == "right" else "left")
    for row in cells:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=_FILE_WIDTH)).print(table)


def print_json(value: Any) -> None:
    """Print JSON to stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    click.echo(re.sub(r"[^\n -~]+", _spelt, text))


def _spelt(found: re.Match[str]) -> str:
    """As JSON spells what no terminal should act on; letters of all languages stay as they are."""
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in found[0])


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Text(f"{value:,}" if isinstance(value, int) else f"{value:,.1f}", justify="right")
    if isinstance(value, Decimal):
        return Text(f"{value.normalize():f}", justify="right")
    return Text(visible(str(value)))
