"""`modelscan tokens`: what callers show to be let in, and what each of them may use."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from modelscan.cli.display import print_json, print_rows, print_table
from modelscan.cli.session import Session, json_option
from modelscan.cli.token_desk import desk_of
from modelscan.cli.token_options import EXPIRY, changed_terms, expires_option, term_options, terms_of
from modelscan.tokens.standing import LimitStanding, TokenStanding
from modelscan.types import TokenRole

__all__ = ["tokens"]

_ROLES = ("client", "read-only", "admin")
_USE = "Callers send it as `Authorization: Bearer` or `x-api-key`: OpenAI's and Anthropic's clients as their api_key."


@click.group()
def tokens() -> None:
    """Issue tokens to callers, list, limit, rotate, revoke or delete them."""


@tokens.command("issue")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="client", show_default=True)
@expires_option
@term_options
@json_option
@click.pass_obj
def issue(session: Session, /, name: str, role: TokenRole, expires: datetime | None, **terms: Any) -> None:
    """Make a token called NAME, and print it: it is shown this once.

    Once one was issued, nobody uses a model without one.
    """
    standing, text = desk_of(session).issue(name, role, terms_of(terms), expires)
    if session.as_json:
        print_json({**standing.model_dump(mode="json"), "token": text})
        return
    click.echo(text)
    click.echo(f"This is the token {name}, shown this once. {_of_role(role)}", err=True)


@tokens.command("list")
@json_option
@click.pass_obj
def list_tokens(session: Session) -> None:
    """List the tokens: the state of each, what it may use, and how much of that it has."""
    columns: dict[str, Callable[[TokenStanding], Any]] = {
        "name": lambda row: row.name,
        "token": lambda row: f"{row.prefix}…",
        "role": lambda row: row.role,
        "state": lambda row: row.state,
        "expires": lambda row: EXPIRY.shown(row.expires_at),
        "may use": _may_use,
        "used": lambda row: "; ".join(map(_used, row.limits)) or None,
    }
    rows = desk_of(session).list()
    print_rows(session, rows, columns, empty="No token was issued yet: modelscan tokens issue NAME")


@tokens.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show what the token NAME may use, and how it stands with each of its limits."""
    _print(session, desk_of(session).show(name))


@tokens.command("limit")
@click.argument("name")
@term_options
@json_option
@click.pass_obj
def limit(session: Session, /, name: str, **terms: Any) -> None:
    """Change what the token NAME may use: what is not given stays, and `none` takes a limit away."""
    desk = desk_of(session)
    _print(session, desk.change(name, changed_terms(desk.show(name).terms, terms)))


@tokens.command("rotate")
@click.argument("name")
@json_option
@click.pass_obj
def rotate(session: Session, name: str) -> None:
    """Put another token in the place of NAME's, and print it; what it may use and has used stays."""
    standing, text = desk_of(session).rotate(name)
    if session.as_json:
        print_json({**standing.model_dump(mode="json"), "token": text})
        return
    click.echo(text)
    click.echo(f"This is the token {standing.name} from now on, shown this once; the one before is refused.", err=True)


@tokens.command("revoke")
@click.argument("name")
@json_option
@click.pass_obj
def revoke(session: Session, name: str) -> None:
    """Refuse the token NAME from now on; it stays in the list."""
    standing = desk_of(session).revoke(name)
    _say(session, standing, f"The token {standing.name} is refused from now on.")


@tokens.command("delete")
@click.argument("name")
@json_option
@click.pass_obj
def delete(session: Session, name: str) -> None:
    """Forget the token NAME. Without any left, callers of this machine need none."""
    token = desk_of(session).delete(name)
    if session.as_json:
        print_json(token.model_dump(mode="json"))
    else:
        click.echo(f"The token {token.name} is forgotten, and refused from now on; its usage stays.")


def _print(session: Session, standing: TokenStanding) -> None:
    if session.as_json:
        print_json(standing.model_dump(mode="json"))
        return
    for title, said in _described(standing):
        click.echo(f"{title:<10} {said}")
    if standing.limits:
        columns: dict[str, Callable[[LimitStanding], Any]] = {
            "limit": lambda row: row.limit,
            "most": lambda row: row.most,
            "used": lambda row: row.used,
            "held": lambda row: row.held,
            "until": lambda row: EXPIRY.shown(row.until),
        }
        print_table(columns, ([value(row) for value in columns.values()] for row in standing.limits))


def _described(standing: TokenStanding) -> list[tuple[str, str]]:
    terms = standing.terms
    said = [("token", f"{standing.name} ({standing.prefix}…, {standing.id})"), ("role", standing.role)]
    said += [("state", standing.state), ("expires", EXPIRY.shown(standing.expires_at) or "never")]
    if standing.role == "client":
        said += [("models", ", ".join(terms.models) or "all"), ("providers", ", ".join(terms.providers) or "all")]
    if terms.has_budget_in_dollars:
        said.append(("unpriced", "allowed" if terms.allow_unknown_price else "refused"))
    return said


def _may_use(token: TokenStanding) -> str | None:
    if token.role != "client":
        return None
    return ", ".join((*token.terms.models, *(f"of {one}" for one in token.terms.providers))) or "all models"


def _used(limit: LimitStanding) -> str:
    return f"{limit.limit} {limit.used:,} of {limit.most:,}"


def _say(session: Session, standing: TokenStanding, words: str) -> None:
    if session.as_json:
        print_json(standing.model_dump(mode="json"))
    else:
        click.echo(words)


def _of_role(role: str) -> str:
    if role == "client":
        return _USE
    may = "may look at everything" if role == "read-only" else "may do everything"
    return f"It {may} in the admin API, and uses no model."
