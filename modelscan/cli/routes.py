"""`modelscan routes`: where requests for a name go."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import click
from pydantic import ValidationError

from modelscan.cli.access import service_of
from modelscan.cli.display import print_json, print_table
from modelscan.cli.session import Session, json_option
from modelscan.errors import InvalidInput
from modelscan.settings import BALANCES, RoutingRule

__all__ = ["routes"]

_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)")
_client = click.option(
    "--client", default="*", show_default=True, help="Only for clients that give themselves a name like this."
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def routes(context: click.Context) -> None:
    """List the rules that say where requests for a name go, or set, remove or explain one."""
    if context.invoked_subcommand:
        return
    session: Session = context.obj
    rules = service_of(session).get("/api/routes")
    if session.as_json:
        print_json(rules)
    elif rules:
        columns: dict[str, Callable[[dict[str, Any]], Any]] = {
            "name": lambda row: row["match"],
            "targets": lambda row: ", ".join(_target(one, row["balance"]) for one in row["targets"]),
            "balance": lambda row: row["balance"],
            "fallbacks": lambda row: ", ".join(one["model"] for one in row["fallbacks"]) or None,
            "client": lambda row: row["client"],
            "priority": lambda row: row["priority"],
            "from": lambda row: row["origin"],
        }
        print_table(columns, ([value(row) for value in columns.values()] for row in rules))
    else:
        click.echo("There is no rule: a name is a model's own. Set one: modelscan routes set NAME TARGET…", err=True)


@routes.command("set")
@click.argument("name")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET…")
@click.option("--fallback", "fallbacks", multiple=True, metavar="TARGET", help="Asked should all targets fail.")
@click.option("--balance", type=click.Choice(BALANCES), default="in_order", show_default=True)
@click.option("--priority", type=int, default=0, show_default=True, help="Of several rules the highest counts.")
@_client
@json_option
@click.pass_obj
def set_rule(session: Session, /, name: str, targets: Sequence[str], fallbacks: Sequence[str], **more: Any) -> None:
    """Send requests for NAME, which may be a glob, to TARGETs: provider/model, or */model for all who serve it.

    A weight stands behind it, as in acme/small=3. A * of a target's model stands for what the * of NAME matched.
    """
    try:
        rule = RoutingRule.model_validate(
            {"match": name, "targets": _weighted(targets), "fallbacks": _weighted(fallbacks), **more}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{place}: {first['msg']}.", hint="modelscan routes set --help") from None
    saved = service_of(session).put("/api/routes", rule.model_dump(mode="json"))
    if session.as_json:
        print_json(saved)
    else:
        click.echo(f"Requests for {name} go to {', '.join(targets)}. See: modelscan routes explain {name}")


@routes.command("remove")
@click.argument("name")
@_client
@json_option
@click.pass_obj
def remove(session: Session, name: str, client: str) -> None:
    """Remove the rule for NAME that was set here; those of the configuration are changed there."""
    removed = service_of(session).delete(f"/api/routes?{urlencode({'match': name, 'client': client})}")
    if session.as_json:
        print_json(removed)
    else:
        click.echo(f"The rule for {name} is removed.")


@routes.command("explain")
@click.argument("name")
@click.option("--client", default="", help="As this client.")
@json_option
@click.pass_obj
def explain(session: Session, name: str, client: str) -> None:
    """Show who would be asked for NAME now, in which order, and how each of them does."""
    told = service_of(session).get(f"/api/routes/explain?{urlencode({'model': name, 'client': client})}")
    if session.as_json:
        print_json(told)
        return
    rule = told["rule"]
    click.echo(f"By the rule for {rule['match']} ({rule['balance']}):" if rule else "By its own name:")
    columns: dict[str, Callable[[dict[str, Any]], Any]] = {
        "model": lambda row: row["model"],
        "as": lambda row: row["role"],
        "speaks": lambda row: row["protocol"],
        "running": lambda row: row["running"],
        "requests": lambda row: row["requests"],
        "first byte": lambda row: f"{row['first_byte_ms']:.0f} ms" if row["first_byte_ms"] else None,
        "$/M in, out": lambda row: _price(row["price"]),
        "health": lambda row: row["health"],
        "now": _state,
    }
    print_table(columns, ([value(row) for value in columns.values()] for row in told["candidates"]))
    for name in told["missing"]:
        click.echo(f"{name} is served by nobody: modelscan add {name}", err=True)


def _weighted(targets: Sequence[str]) -> list[dict[str, Any]]:
    found = [(_WEIGHTED.fullmatch(target), target) for target in targets]
    return [{"model": one[1], "weight": float(one[2])} if one else {"model": target} for one, target in found]


def _target(target: dict[str, Any], balance: str) -> str:
    return f"{target['model']}={target['weight']:g}" if balance == "weighted" else str(target["model"])


def _price(price: dict[str, Any] | None) -> str | None:
    known = price and price["input_mtok"] is not None and price["output_mtok"] is not None
    return f"{price['input_mtok']}, {price['output_mtok']}" if price and known else None


def _state(row: dict[str, Any]) -> str:
    if row["circuit_open_seconds"]:
        return f"down, tried again in {row['circuit_open_seconds']:.0f} s"
    if row["keys_rest_seconds"] is None:
        return "its keys are disabled"
    return f"its keys rest for {row['keys_rest_seconds']:.0f} s" if row["keys_rest_seconds"] else "ready"
