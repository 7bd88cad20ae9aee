"""Serves another version of a client that was published: activates it, rolls back, or tries it with some requests."""

import logging
from collections.abc import Sequence
from pathlib import Path

from modelscan.catalog import activations, canaries, kept, versions
from modelscan.catalog.database import Database
from modelscan.catalog.history import history
from modelscan.clients.keeping import files_of
from modelscan.codegen.publish import publish_files
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused, InvalidInput, VersionNotFound
from modelscan.sources.http import host_port
from modelscan.types import (
    Activation,
    ActivationKind,
    Canary,
    CanaryCounts,
    CanaryTerms,
    ClientSpec,
    Kept,
    KnownVersion,
    SdkVersion,
)

__all__ = [
    "activate",
    "before_active",
    "comparable",
    "known",
    "opened",
    "promote",
    "restore",
    "roll_back",
    "stop",
    "try_out",
    "whole",
]

_log = logging.getLogger(__name__)


def activate(
    database: Database,
    folder: Path,
    provider: str,
    number: int,
    *,
    actor: str,
    why: str = "",
    kind: ActivationKind = "activated",
) -> SdkVersion:
    """Serve version `number` from now on: one transaction, one new generation; then its files are brought back.

    Raises ProviderNotFound, VersionNotFound, and GenerationRefused for a client that this ModelScan cannot read.
    """
    version, spec, files = opened(database, provider, number)
    activations.serve(database, spec, number, kind, actor=actor, why=why)
    restore(folder, spec, files)
    return version.model_copy(update={"active": True})


def roll_back(
    database: Database, folder: Path, provider: str, number: int | None = None, *, actor: str, why: str = ""
) -> SdkVersion:
    """Serve the version that was served before the active one, or version `number`. Raises as `activate`."""
    active = versions.active_of(database, provider).version
    if number is None:
        number = _before(database, provider, active)
    elif number == active:
        raise InvalidInput(f"Version {number} of {provider} is the one that is served.", hint="Name another one.")
    return activate(database, folder, provider, number, actor=actor, why=why, kind="rolled-back")


def try_out(database: Database, provider: str, number: int, terms: CanaryTerms, *, actor: str, why: str = "") -> Canary:
    """Have a share of the provider's requests try version `number`. Raises as `activate`; InvalidInput."""
    active = versions.active_of(database, provider)
    if number == active.version:
        raise InvalidInput(f"Version {number} of {provider} is the one that is served.", hint="Try another one.")
    _, spec, _ = opened(database, provider, number)
    _, base, _ = opened(database, provider, active.version)
    if not comparable(base, spec):
        raise InvalidInput(
            f"Version {number} of {provider} goes to {spec.base_url}, and the one that is served to {base.base_url}: "
            "keys that were given for one server are not tried at another.",
            hint=f"Serve it to all: modelscan activate {provider} {number}",
        )
    return canaries.start(database, provider, number, terms, actor=actor, why=why)


def stop(database: Database, provider: str, *, actor: str, why: str = "") -> Activation:
    """End the trial of a version. Raises ProviderNotFound; VersionNotFound where none runs."""
    versions.active_of(database, provider)
    for canary in canaries.canaries(database):
        if canary.provider == provider:
            (seen,) = canaries.counts(database, [canary])
            if ended := canaries.end(database, canary, "canary-stopped", actor=actor, why=why, seen=seen):
                return ended
    raise VersionNotFound(
        f"No version of {provider} is on trial.", hint=f"Try one: modelscan canary {provider} VERSION --share 5%"
    )


def promote(
    database: Database, folder: Path, canary: Canary, *, actor: str, why: str, seen: CanaryCounts
) -> Activation | None:
    """Serve what was tried to all, unless that trial has ended already. Raises as `activate`."""
    _, spec, files = opened(database, canary.provider, canary.version)
    promoted = activations.promote(database, canary, spec, actor=actor, why=why, seen=seen)
    if promoted:
        restore(folder, spec, files)
    return promoted


def opened(database: Database, provider: str, number: int) -> tuple[SdkVersion, ClientSpec, Kept]:
    """A version, what its client states, and its files, which are those that were proved.

    Raises ProviderNotFound, VersionNotFound, and GenerationRefused for a client that this ModelScan cannot read.
    """
    version = versions.find(database, provider, number)
    files = whole(database, version)
    return version, read_spec(files.client), files


def whole(database: Database, version: SdkVersion) -> Kept:
    """A version's files, which are those that were proved; raises VersionNotFound where they are kept no longer."""
    if files := files_of(database, version):
        return files
    raise _missing(
        f"The files of version {version.version} of {version.provider} are not kept whole any more.", version.provider
    )


def comparable(base: ClientSpec, other: ClientSpec) -> bool:
    """Whether both speak to the same server, by the same person's word: then the same keys may go there."""
    places = [(host_port(spec.base_url), spec.operator_host) for spec in (base, other)]
    return places[0] == places[1]


def restore(folder: Path, spec: ClientSpec, files: Kept) -> None:
    """Put the files of the version that is served where people look for them; what is served does not depend on it.

    Something else that is in their place stays: the registry's notes tell of it.
    """
    try:
        publish_files(folder, spec, *files)
    except (GenerationRefused, OSError) as error:
        _log.warning("the files of %s are not written: %s", spec.provider, error)


def before_active(steps: Sequence[Activation]) -> tuple[int, ...]:
    """The versions to go back to, the next one first; `steps` are a provider's history, newest first.

    Each version that was served lies upon the one before; a rollback takes away what lies upon its version.
    """
    served: list[int] = []
    for step in reversed(steps):
        if step.kind not in ("published", "activated", "rolled-back", "canary-promoted"):
            continue
        if not served and step.before is not None:
            served.append(step.before)
        if step.kind == "rolled-back" and step.version in served:
            del served[served.index(step.version) + 1 :]
        elif not served or served[-1] != step.version:
            served.append(step.version)
    return tuple(reversed(served[:-1]))


def known(database: Database, provider: str | None = None) -> tuple[KnownVersion, ...]:
    """All versions of one provider or of all, newest first, each with what becomes of it."""
    tried = {(one.provider, one.version) for one in canaries.canaries(database)}
    rows = versions.all_versions(database, provider)
    there = {name: kept.kept_numbers(database, name) for name in {row.provider for row in rows}}

    def state(row: SdkVersion) -> KnownVersion:
        if row.active:
            return KnownVersion(version=row, state="active")
        if (row.provider, row.version) in tried:
            return KnownVersion(version=row, state="canary")
        return KnownVersion(version=row, state="kept" if row.version in there[row.provider] else "gone")

    return tuple(state(row) for row in rows)


def _before(database: Database, provider: str, active: int) -> int:
    there = kept.kept_numbers(database, provider)
    for number in before_active(history(database, provider)):
        if number != active and number in there:
            return number
    raise _missing(f"No version of {provider} was served before version {active} whose files are kept.", provider)


def _missing(words: str, provider: str) -> VersionNotFound:
    return VersionNotFound(words, hint=f"modelscan versions {provider} lists them.", provider=provider)
