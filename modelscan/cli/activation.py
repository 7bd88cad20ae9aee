"""`modelscan activate`, `rollback` and `canary`: have another version of a client served, or tried."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from modelscan.catalog.database import Database
from modelscan.cli.access import running_service_of, settings_of
from modelscan.cli.catalogue import published
from modelscan.cli.display import print_json
from modelscan.cli.session import Session, json_option
from modelscan.clients import activation
from modelscan.types import CanaryTerms

__all__ = ["activate", "canary", "rollback"]

_ACTOR = "operator"
_reason = click.option("--reason", default="", help="Why; it is kept in the history.")


class Share(click.ParamType[float]):
    """A part of all: 5% or 0.05."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As a number up to 1."""
        text = str(value).strip()
        try:
            part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            part = -1.0
        if not 0 <= part <= 1:
            self.fail(f"{value} is no share: write 5% or 0.05.", param, ctx)
        return part


@click.command()
@click.argument("provider")
@click.argument("version", type=click.IntRange(min=1))
@_reason
@json_option
@click.pass_obj
def activate(session: Session, provider: str, version: int, reason: str) -> None:
    """Serve VERSION of PROVIDER's client from now on, in every router."""
    body = {"version": version, "reason": reason}
    told = _done(
        session,
        provider,
        ("POST", "activate", body),
        lambda database: (
            activation.activate(database, _folder(session), provider, version, actor=_ACTOR, why=reason).version
        ),
    )
    _say(session, told, f"Version {version} of {provider} is served")


@click.command()
@click.argument("provider")
@click.option("--to", "number", type=click.IntRange(min=1), help="To this version, instead of the one before.")
@_reason
@json_option
@click.pass_obj
def rollback(session: Session, provider: str, number: int | None, reason: str) -> None:
    """Serve the version of PROVIDER's client that was served before; the one that is served now is not published again.

    Should a discovery make it again, it waits for `modelscan activate`.
    """
    told = _done(
        session,
        provider,
        ("POST", "rollback", {"to": number, "reason": reason}),
        lambda database: (
            activation.roll_back(database, _folder(session), provider, number, actor=_ACTOR, why=reason).version
        ),
    )
    _say(session, told, f"Version {told['version']} of {provider} is served again")


@click.command()
@click.argument("provider")
@click.argument("version", type=click.IntRange(min=1), required=False)
@click.option("--share", type=Share(), default="5%", show_default=True, help="Of the provider's requests.")
@click.option("--error-rate", "margin", type=Share(), help="How much more of its requests may fail.")
@click.option("--requests", type=click.IntRange(1, 1_000_000), help="How many it is asked before it is promoted.")
@click.option("--minutes", type=click.FloatRange(0, 525_600), help="How long it is tried at least.")
@click.option("--stop", is_flag=True, help="End the trial that runs.")
@_reason
@json_option
@click.pass_obj
def canary(
    session: Session, /, provider: str, version: int | None, share: float, stop: bool, reason: str, **asked: Any
) -> None:
    """Have a share of PROVIDER's requests ask VERSION first; what it fails at is answered by the one that is served.

    It is rolled back once it fails clearly more often, and promoted once it was tried enough.
    """
    if stop == (version is not None) or not share:
        raise click.UsageError("Name the VERSION to try and a share above 0, or --stop.")
    if version is None:
        told = _done(
            session,
            provider,
            ("DELETE", f"canary?{urlencode({'reason': reason})}", {}),
            lambda database: activation.stop(database, provider, actor=_ACTOR, why=reason).before,
        )
        _say(session, told, f"The trial of {provider} has ended: version {told['version']} alone is served")
        return
    terms = {"share": share, **{name: value for name, value in asked.items() if value is not None}}
    told = _done(
        session,
        provider,
        ("POST", "canary", {"version": version, "reason": reason, **terms}),
        lambda database: _tried(session, database, provider, version, terms, reason),
    )
    _say(session, told, f"{share:.1%} of the requests for {provider} ask version {version} first")


def _tried(
    session: Session, database: Database, provider: str, version: int, terms: Mapping[str, Any], why: str
) -> int:
    settings = settings_of(session).versions
    usual = {"margin": settings.canary_margin, "requests": settings.canary_requests, "minutes": settings.canary_minutes}
    full = CanaryTerms.model_validate({**usual, **terms})
    activation.try_out(database, provider, version, full, actor=_ACTOR, why=why)
    return published(session, provider)[1].version


def _done(
    session: Session,
    provider: str,
    call: tuple[str, str, Mapping[str, Any]],
    locally: Callable[[Database], int | None],
) -> dict[str, Any]:
    """By the running service, which answers with what it serves then; else in the catalogue, for the next start."""
    service = running_service_of(session)
    if service is None:
        return {"provider": provider, "version": locally(published(session, provider)[0]), "generation": None}
    method, path, body = call
    path = f"/api/versions/{provider}/{path}"
    told: dict[str, Any] = service.delete(path) if method == "DELETE" else service.post(path, body)
    return told


def _say(session: Session, told: Mapping[str, Any], words: str) -> None:
    if session.as_json:
        print_json(told)
        return
    when = f"in generation {told['generation']}" if told["generation"] is not None else "from the next start on"
    click.echo(f"{words}, {when}. See: modelscan versions {told['provider']}")


def _folder(session: Session) -> Path:
    return settings_of(session).generation.path
