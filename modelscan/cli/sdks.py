"""`modelscan sdks`: the generated clients, listed, or taken away as files that need no ModelScan."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from modelscan.catalog import versions
from modelscan.cli.access import settings_of
from modelscan.cli.catalogue import NOTHING_YET, published, read_rows
from modelscan.cli.display import print_json, print_rows
from modelscan.cli.session import Session, json_option
from modelscan.clients.keeping import source_of
from modelscan.codegen.render import render_test
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import InvalidInput
from modelscan.types import SdkVersion

__all__ = ["sdks"]

_STANDARD_OUTPUT = Path("-")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def sdks(context: click.Context) -> None:
    """List the generated clients (every version, which one is active, what was proved of it), or export one."""
    if context.invoked_subcommand:
        return
    columns: dict[str, Callable[[SdkVersion], Any]] = {
        "provider": lambda row: row.provider,
        "version": lambda row: row.version,
        "active": lambda row: "yes" if row.active else "no",
        "level": lambda row: row.level,
        "published": lambda row: f"{row.published_at:%Y-%m-%d %H:%M:%S}",
        "digest": lambda row: row.digest[:12],
        "file": lambda row: row.path,
        "why not higher": lambda row: row.why_not_higher,
    }
    session: Session = context.obj
    print_rows(session, read_rows(session, versions.all_versions), columns, empty=NOTHING_YET)


@sdks.command()
@click.argument("provider")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Where to: a file, a folder, or - for the standard output. Without it, the current folder.",
)
@click.option("--with-test", is_flag=True, help="Also its contract test, beside it.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@json_option
@click.pass_obj
def export(session: Session, provider: str, output: Path | None, with_test: bool, force: bool) -> None:
    """Write the client of PROVIDER that is served to a file; it needs only the package that it imports.

    The bytes are those that were proved, whatever became of the file since.
    """
    database, version = published(session, provider)
    client = source_of(database, settings_of(session).generation.path, version).client
    if output == _STANDARD_OUTPUT:
        _refuse_beside(session, with_test)
        sys.stdout.buffer.write(client)
        return
    target = _target(output, version)
    files = {target: client}
    if with_test:
        # It loads the client by the module's own name.
        files[target.with_name(f"test_{version.path}")] = render_test(read_spec(client)).encode()
        _refuse_other_name(target, version)
    written = _write(files, force=force)
    if session.as_json:
        print_json({**version.model_dump(mode="json"), "files": [str(file) for file in written]})
    else:
        names = " and ".join(str(file) for file in written)
        click.echo(f"{provider}, version {version.version}, proved to level {version.level}: {names}")


def _target(output: Path | None, version: SdkVersion) -> Path:
    if output is None:
        return Path(version.path)
    return output / version.path if output.is_dir() else output


def _refuse_beside(session: Session, with_test: bool) -> None:
    if with_test or session.as_json:
        raise InvalidInput("The standard output takes the client alone.", hint="Name a file or a folder with --output.")


def _refuse_other_name(target: Path, version: SdkVersion) -> None:
    if target.name != version.path:
        raise InvalidInput(
            f"The contract test loads {version.path}, and the client would be called {target.name}.",
            hint="Name a folder with --output, or leave --with-test out.",
        )


def _write(files: dict[Path, bytes], *, force: bool) -> list[Path]:
    """Write all or, where one is there already and `force` is not given, none."""
    for file in files:
        if file.exists() and not force:
            raise InvalidInput(f"{file} is there already.", hint="Overwrite it with --force, or name another --output.")
    try:
        for file, data in files.items():
            file.write_bytes(data)
    except OSError as error:
        raise InvalidInput(
            f"{error.filename} cannot be written: {error.strerror}.", hint="Name another --output."
        ) from error
    return list(files)
