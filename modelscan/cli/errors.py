"""Shows an error to a person (what happened, what to do next, the nearest names) or to a program (JSON)."""

import json

import click

from modelscan.errors import ModelScanError
from modelscan.visible import visible

__all__ = ["show_error"]


def show_error(error: ModelScanError, *, as_json: bool) -> None:
    """Write to stderr in words, or to stdout as `{"error": {"code", "message", "hint", "fields"}}`."""
    if as_json:
        body = {"code": error.code, "message": error.message, "hint": error.hint, "fields": error.fields}
        click.echo(json.dumps({"error": body}, indent=2, default=str))
        return
    click.secho(f"Error: {visible(error.message)}", fg="red", err=True)
    for case in _texts(error.fields.get("failed")):
        click.echo(f"  failed: {visible(case)}", err=True)
    for title, field in (("Nearest", "nearest"), ("Choices", "choices")):
        names = _texts(error.fields.get(field))
        if any(name not in f"{error.message} {error.hint}" for name in names):
            click.echo(f"{title}: {visible(', '.join(names))}", err=True)
    if error.hint:
        click.echo(visible(error.hint), err=True)


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        return []
    return [_case(item) if isinstance(item, dict) else str(item) for item in value]


def _case(case: dict[str, object]) -> str:
    """A failed case, as CaseResult says it."""
    return ": ".join(str(case[key]) for key in ("case", "detail") if case.get(key)) or json.dumps(case)
