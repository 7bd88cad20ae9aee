"""`modelscan keys`: the providers' keys, of which only a prefix is ever shown."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import click

from modelscan.catalog import keys as key_rows
from modelscan.cli.access import service_of
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.key_states import state_columns, state_lines
from modelscan.cli.master import rotate as rotate_master
from modelscan.cli.secrets import key_options, read_key
from modelscan.cli.session import Session, json_option
from modelscan.errors import InvalidInput
from modelscan.redaction import redact
from modelscan.types import ApiKey, utc_now

__all__ = ["keys"]

_LIMITS = {"rpm": "requests a minute", "tpm": "tokens a minute", "daily": "requests a day"}
_limit = click.IntRange(min=0)


def _no_secret(_: click.Context, __: click.Parameter, named: str) -> str:
    """What was typed, unless it is a key itself, which would be told in an address."""
    if redact(named) != named:
        raise InvalidInput("That looks like the key itself.", hint="Name it by its id: modelscan keys list")
    return named


_key = click.argument("key", callback=_no_secret)


@click.group()
def keys() -> None:
    """List the providers' keys, add one, set its limits, try it, or see which one is chosen and why.

    KEY is a key's id, the beginning of it, or its label: modelscan keys list shows them.
    """


@keys.command("list")
@click.argument("provider", required=False)
@json_option
@click.pass_obj
def list_keys(session: Session, provider: str | None) -> None:
    """List the keys of PROVIDER, or of all: where each came from, its limits, and how much it was used."""
    columns: dict[str, Callable[[ApiKey], Any]] = {
        "provider": lambda row: row.provider,
        "key": lambda row: f"{row.prefix}…",
        "id": lambda row: row.id,
        "label": lambda row: row.label or None,
        "from": lambda row: row.origin,
        "only for": lambda row: row.host,
        "state": _state,
        "limits": lambda row: _limits(row.model_dump()),
        "requests": lambda row: row.requests,
        "tokens": lambda row: row.tokens,
    }
    database = catalogue_of(session)
    rows = key_rows.list_keys(database, provider) if database else ()
    print_rows(session, rows, columns, empty="There is no key yet. Add one: modelscan keys add PROVIDER")


@keys.command("add")
@click.argument("provider")
@click.option("--label", default="", help="A name of your own for it.")
@key_options
@json_option
@click.pass_obj
def add_key(session: Session, provider: str, label: str, api_key: str | None, api_key_stdin: bool) -> None:
    """Give the running service a key of PROVIDER; it is asked for where no option gives it."""
    secret = _secret(session, api_key, api_key_stdin)
    body = {"provider": provider, "api_key": secret, **({"label": label} if label else {})}
    added = service_of(session).post("/api/keys/add", body)
    _say(session, added, f"{provider} has the key {added['prefix']}… ({added['id']}).")


@keys.command("explain")
@click.argument("provider")
@json_option
@click.pass_obj
def explain(session: Session, provider: str) -> None:
    """Show how each key of PROVIDER stands now, in the order in which they would be chosen, and why."""
    told = service_of(session).get(f"/api/keys/explain?{urlencode({'provider': provider})}")
    if session.as_json:
        print_json(told)
    elif told:
        columns = state_columns()
        print_table(columns, ([value(row) for value in columns.values()] for row in told))
        for line in state_lines(told):
            click.echo(line)
    else:
        click.echo(f"{provider} has no key. Add one: modelscan keys add {provider}", err=True)


@keys.command("test")
@click.argument("provider")
@_key
@click.option("--chat", is_flag=True, help="Ask for a tiny chat too, which the provider may bill.")
@json_option
@click.pass_obj
def test_key(session: Session, provider: str, key: str, chat: bool) -> None:
    """Ask PROVIDER for its models with KEY, which costs nothing, and tell what it says.

    Exits with 1 unless the key is taken.
    """
    tried = service_of(session).post("/api/keys/test", {"provider": provider, "key": key, "chat": chat})
    if session.as_json:
        print_json(tried)
    else:
        columns: dict[str, Callable[[dict[str, Any]], Any]] = {
            "asked for": lambda row: row["what"],
            "status": lambda row: row["status"],
            "took": lambda row: f"{row['milliseconds']:.0f} ms",
            "said": lambda row: row["detail"] or None,
        }
        if tried["calls"]:
            print_table(columns, ([value(row) for value in columns.values()] for row in tried["calls"]))
        click.echo(f"{tried['prefix']}… ({tried['id']}): {tried['why']}.")
    if tried["verdict"] != "taken":
        click.get_current_context().exit(1)


@keys.command("disable")
@click.argument("provider")
@_key
@json_option
@click.pass_obj
def disable(session: Session, provider: str, key: str) -> None:
    """Use KEY no longer, until it is enabled; requests that run with it end."""
    done = service_of(session).post("/api/keys/disable", {"provider": provider, "key": key})
    _say(session, done, f"{_named(done)} is not used any more. Undo it: modelscan keys enable {provider} {done['id']}")


@keys.command("enable")
@click.argument("provider")
@_key
@json_option
@click.pass_obj
def enable(session: Session, provider: str, key: str) -> None:
    """Use KEY again, whatever was held against it: that it was switched off, was refused, or rests."""
    done = service_of(session).post("/api/keys/enable", {"provider": provider, "key": key})
    _say(session, done, f"{_named(done)} is used again. Try it: modelscan keys test {provider} {done['id']}")


@keys.command("limit")
@click.argument("provider")
@_key
@click.option("--rpm", type=_limit, help="Requests a minute; 0: no limit.")
@click.option("--tpm", type=_limit, help="Tokens a minute; 0: no limit.")
@click.option("--daily", type=_limit, help="Requests a day (UTC); 0: no limit.")
@json_option
@click.pass_obj
def limit(session: Session, /, provider: str, key: str, **limits: int | None) -> None:
    """Set limits of KEY, which count from the next request on; one that is not named stays."""
    named = {name: value or None for name, value in limits.items() if value is not None}
    if not named:
        raise InvalidInput("No limit is named.", hint="Give --rpm, --tpm or --daily.")
    done = service_of(session).post("/api/keys/limit", {"provider": provider, "key": key, **named})
    _say(session, done, f"{_named(done)} has {_limits(done) or 'no limit'}. See: modelscan keys explain {provider}")


@keys.command("rotate")
@click.argument("provider")
@_key
@key_options
@json_option
@click.pass_obj
def rotate(session: Session, provider: str, key: str, api_key: str | None, api_key_stdin: bool) -> None:
    """Put a new key in the place of KEY, with its limits and label; it is asked for where no option gives it."""
    secret = _secret(session, api_key, api_key_stdin)
    done = service_of(session).post("/api/keys/rotate", {"provider": provider, "key": key, "api_key": secret})
    _say(session, done, f"{_named(done)} has taken the place of {key}. Revoke the old one at {provider}.")


@keys.command("delete")
@click.argument("provider")
@_key
@json_option
@click.pass_obj
def delete(session: Session, provider: str, key: str) -> None:
    """Forget KEY; what it used stays in the statistics."""
    done = service_of(session).delete(f"/api/keys?{urlencode({'provider': provider, 'key': key})}")
    _say(session, done, f"{_named(done)} is deleted here; revoke it at {provider} too, if nobody needs it.")


keys.add_command(rotate_master)


def _secret(session: Session, api_key: str | None, from_stdin: bool) -> str:
    service_of(session)  # Asked before the person is: without a service there is nothing to type a key for.
    return read_key(api_key, from_stdin) or str(click.prompt("Key", hide_input=True, err=True))


def _say(session: Session, answer: Any, sentence: str) -> None:
    if session.as_json:
        print_json(answer)
    else:
        click.echo(sentence)


def _named(key: dict[str, Any]) -> str:
    label = f", {key['label']}" if key.get("label") else ""
    return f"{key['provider']}'s key {key['prefix']}… ({key['id']}{label})"


def _state(key: ApiKey) -> str:
    reasons = {"absent": "no longer given", "operator": "by you", "refused": f"refused with {key.fault_status}"}
    if key.state == "disabled":
        return f"disabled: {reasons[key.disabled_for]}" if key.disabled_for else "disabled"
    resting = key.rests_until is not None and key.rests_until > utc_now()
    return f"active, rests until {key.rests_until:%Y-%m-%d %H:%M:%S}Z" if resting else "active"


def _limits(key: dict[str, Any]) -> str | None:
    return ", ".join(f"{key[name]:,} {words}" for name, words in _LIMITS.items() if key.get(name)) or None
