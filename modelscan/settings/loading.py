"""Puts Settings together from the file and the environment: what is wrong falls back to its default, with a warning."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from modelscan.errors import InvalidConfiguration
from modelscan.settings.environment import overrides
from modelscan.settings.sections import Settings
from modelscan.settings.values import NotAccepted, accept, merged
from modelscan.settings.warning import ENVIRONMENT, ConfigWarning
from modelscan.settings.yaml_file import Entry, read_entries

__all__ = ["Loaded", "ensure_data_dir", "load"]

DEFAULT_FILE = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, what was wrong on the way, the file that was read, and where each value came from."""

    settings: Settings
    warnings: tuple[ConfigWarning, ...] = ()
    path: Path | None = None
    """None where there is no file."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """`section.key` -> `file:line` or the variable; what is not in it has its default."""


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read `path`, else the file that MODELSCAN_CONFIG names, else `config.yaml` in the working directory if any.

    The environment (`os.environ` unless given) wins over the file. Raises InvalidConfiguration only where a file that
    was asked for by name, or one that is there, cannot be read; everything else is a warning.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ["MODELSCAN_CONFIG"]) if environ.get("MODELSCAN_CONFIG") else None)
    file = named or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    values: dict[tuple[str, ...], Any] = {}
    origins: dict[str, str] = {}
    warnings: list[ConfigWarning] = []
    for found in (*(_from_file(file) if file else ()), *_from_environment(environ)):
        if isinstance(found, ConfigWarning):
            warnings.append(found)
        elif found.value != {}:  # An empty section says nothing.
            values[found.path] = found.value
            origins[".".join(found.path)] = found.origin
    return Loaded(merged(values), tuple(warnings), file, origins)


def ensure_data_dir(settings: Settings) -> Path:
    """Make the data directory, for its owner alone (0700), and return it; InvalidConfiguration where that fails.

    A folder that exists keeps its mode: it may be a shared one, such as `.`, that is not ModelScan's to close.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidConfiguration(
            f"The data directory {settings.data_dir} cannot be made: {error.strerror}.",
            hint="Set data_dir in config.yaml, or MODELSCAN_DATA_DIR.",
        ) from error
    return settings.data_dir


@dataclass(frozen=True, slots=True)
class _Accepted:
    path: tuple[str, ...]
    value: Any
    origin: str


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Accepted | ConfigWarning]:
    for found in overrides(environ):
        if isinstance(found, ConfigWarning):
            yield found
            continue
        try:
            yield _Accepted(found.path, accept(found.path, found.value), found.variable)
        except NotAccepted as error:
            yield ConfigWarning(ENVIRONMENT, None, None, found.variable, f"{error.reason}; it is ignored")


def _from_file(file: Path) -> list[_Accepted | ConfigWarning]:
    """The file's values, then its warnings from top to bottom."""
    entries, problems = read_entries(_text(file))
    warnings = [ConfigWarning(str(file), p.line, p.column, ".".join(p.path), p.message) for p in problems]
    accepted: list[_Accepted | ConfigWarning] = []
    for entry in entries:
        try:
            accepted.append(_Accepted(entry.path, accept(entry.path, _constructed(entry)), f"{file}:{entry.line}"))
        except NotAccepted as error:
            key = ".".join(entry.path)
            warnings.append(ConfigWarning(str(file), entry.line, entry.column, key, str(error)))
    return [*accepted, *sorted(warnings, key=lambda warning: (warning.line or 0, warning.column or 0))]


def _constructed(entry: Entry) -> object:
    try:
        return yaml.constructor.SafeConstructor().construct_document(entry.node)
    except (yaml.YAMLError, ValueError) as error:
        raise NotAccepted(entry.path, "this is not a plain YAML value") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InvalidConfiguration(
            f"The configuration file {file} cannot be read: {error.strerror}.",
            hint="Check --config and MODELSCAN_CONFIG; without them config.yaml is read if it is there.",
            file=str(file),
        ) from error
