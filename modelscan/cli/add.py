"""`modelscan add`: ask the running service for a discovery, and follow it step by step."""

import json
import time
from collections.abc import Callable

import click

from modelscan.cli.access import service_of
from modelscan.cli.display import print_json
from modelscan.cli.errors import show_error
from modelscan.cli.progress import Progress
from modelscan.cli.secrets import key_options, read_key
from modelscan.cli.service import Service
from modelscan.cli.session import Session, json_option
from modelscan.errors import ServiceUnavailable, error_from_code
from modelscan.types import Discovery, Identifier
from modelscan.visible import visible

__all__ = ["add", "follow"]

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 60.0
"""How long a service that went away, as in a restart, may take to come back."""


@click.command()
@click.argument("identifier")
@click.option("--base-url", help="The address of an OpenAI-compatible server of your own, up to and with /v1.")
@key_options
@click.option("--refresh", is_flag=True, help="Ask the sources anew instead of using their answers of the last days.")
@click.option("--deep", is_flag=True, help="Ask every source, and more of each, instead of the quick and likely ones.")
@json_option
@click.pass_context
def add(
    context: click.Context,
    identifier: str,
    base_url: str | None,
    api_key: str | None,
    api_key_stdin: bool,
    refresh: bool,
    deep: bool,
) -> None:
    """Add IDENTIFIER (provider/model, or a provider): discover it, prove it, serve it."""
    session: Session = context.obj
    asked = Identifier.parse(identifier)
    service = service_of(session)
    body = {"identifier": identifier, "base_url": base_url, "api_key": read_key(api_key, api_key_stdin)}
    given = {name: value for name, value in body.items() if value is not None}
    queued = Discovery.model_validate(service.post("/api/providers/add", {**given, "refresh": refresh, "deep": deep}))
    with Progress(quiet=session.as_json) as progress:
        ended = follow(service, queued, progress.show)
    if session.as_json:
        print_json(ended.model_dump(mode="json"))
    elif not ended.ended:
        click.echo(f"{asked} was proved to level {ended.level} and waits for approval; nothing is published yet.")
        click.echo(f"See what would change: modelscan approvals show {ended.id}")
        click.echo(f"Approve it: modelscan approvals approve {ended.id}")
    elif ended.error is None:
        _conclude(service, ended, asked)
    if ended.error:
        error = ended.error
        if not session.as_json:
            show_error(error_from_code(error.code, error.message, error.hint, error.fields), as_json=False)
        context.exit(1)


def follow(service: Service, discovery: Discovery, show: Callable[[Discovery], None]) -> Discovery:
    """Poll until the discovery has ended, showing each state; raises ServiceUnavailable if the service stays away."""
    gone_since: float | None = None
    while not discovery.at_rest:
        show(discovery)
        time.sleep(POLL_SECONDS)
        try:
            discovery = Discovery.model_validate(service.get(f"/api/discoveries/{discovery.id}"))
            gone_since = None
        except ServiceUnavailable:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > PATIENCE_SECONDS:
                raise
    show(discovery)
    return discovery


def _conclude(service: Service, ended: Discovery, asked: Identifier) -> None:
    """What was proved, why not more, and what to type next."""
    click.secho(f"{asked} is added: version {ended.version}, proved to level {ended.level}.", bold=True)
    if ended.why_not_higher:
        click.echo(f"Not higher, because {_lowered(visible(ended.why_not_higher))}")
    if ended.calls:
        click.echo(f"The specification came about {ended.synthesis}.")
    for gap in ended.gaps:
        if gap.kind != "unknown":  # A source need not know everybody; that it could not be asked is worth a word.
            click.echo(f"Gap: {gap.source} is {gap.kind}: {visible(gap.reason)}")
    if ended.generation is None:
        click.echo("No router has confirmed it; it will be served at the next start.")
    click.echo("Next:")
    if asked.model is None:
        click.echo(f"  modelscan models {asked.provider}")
        return
    body = json.dumps({"model": str(asked), "messages": [{"role": "user", "content": "hi"}]}, ensure_ascii=False)
    click.echo(f"  curl {service.url}/v1/chat/completions -d {_quoted(body)}")


def _lowered(words: str) -> str:
    """Words that begin like a sentence, to go on with one; names such as `HTTP` keep their capitals."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
