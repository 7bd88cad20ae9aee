"""The `modelscan` command: one row a command, imported when it is called, so that help stays quick."""

import os
from pathlib import Path

import click

from modelscan import __version__
from modelscan.cli.lazy import Command, LazyGroup
from modelscan.cli.session import Session
from modelscan.logs import guard_logs

__all__ = ["COMMANDS", "main", "modelscan"]

COMMANDS = (
    Command("serve", "modelscan.cli.serve:serve", "Start the service: the router, Prefect and the discovery runner."),
    Command("add", "modelscan.cli.add:add", "Add a model or a provider: discover it, prove it, serve it."),
    Command("refresh", "modelscan.cli.refresh:refresh", "Look at every known provider again, or take up new prices."),
    Command("providers", "modelscan.cli.lists:providers", "List the providers."),
    Command("models", "modelscan.cli.lists:models", "List the models, of one provider or of all."),
    Command("keys", "modelscan.cli.keys:keys", "List the providers' keys, or add one."),
    Command("tokens", "modelscan.cli.tokens:tokens", "Issue tokens to callers; list, limit, rotate or revoke them."),
    Command("sdks", "modelscan.cli.sdks:sdks", "List the generated clients, or export one as a file."),
    Command("versions", "modelscan.cli.versions:versions", "List the versions of clients, and which one is served."),
    Command("activate", "modelscan.cli.activation:activate", "Serve another version of a client."),
    Command("rollback", "modelscan.cli.activation:rollback", "Serve the version of a client that was served before."),
    Command("canary", "modelscan.cli.activation:canary", "Have some requests try a version of a client first."),
    Command("verify", "modelscan.cli.verify:verify", "Run a published client's contract test again."),
    Command("dossier", "modelscan.cli.dossier:dossier", "Show what is known, and which source says so."),
    Command("conflicts", "modelscan.cli.conflicts:conflicts", "List what the sources disagree on, or decide it."),
    Command("approvals", "modelscan.cli.approvals:approvals", "List what waits for approval; approve or refuse it."),
    Command("changes", "modelscan.cli.changes:changes", "List what changed at providers; approve or reject a change."),
    Command("routes", "modelscan.cli.routes:routes", "List the rules for where a name leads, or set one."),
    Command("health", "modelscan.cli.health:health", "Show how the providers are doing, since when, and why."),
    Command("stats", "modelscan.cli.stats:stats", "Show requests, tokens, cost and latency, by what you like."),
    Command("sql", "modelscan.cli.sql:sql", "Ask the catalogue a question in SQL, read-only."),
    Command("prices", "modelscan.cli.prices:prices", "Show what models cost, since when, and who said so."),
    Command("usage", "modelscan.cli.usage:usage", "Write usage to a file, or price it anew."),
    Command("config", "modelscan.cli.config:config", "Check or show the configuration."),
)


@click.group(cls=LazyGroup, rows=COMMANDS, invoke_without_command=True, context_settings={"max_content_width": 100})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file; without it, MODELSCAN_CONFIG, else config.yaml if it is there.",
)
@click.version_option(__version__, prog_name="modelscan")
@click.pass_context
def modelscan(context: click.Context, config_file: Path | None) -> None:
    """Name a model; ModelScan finds out how to talk to it, proves it, and serves it.

    Without a command it starts the service, as `modelscan serve` does.
    """
    context.obj = Session(config_file)
    if context.invoked_subcommand is None:
        serve = LazyGroup.command_of(COMMANDS[0])
        context.invoke(serve, config_file=None, open_anyway=False)


def main() -> None:
    """The console script."""
    guard_logs(os.environ)
    modelscan(prog_name="modelscan")
