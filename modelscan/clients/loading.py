"""Makes the registry of what the catalogue says: the active versions and those on trial, each read from whole bytes."""

from collections.abc import Iterator
from pathlib import Path

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.catalog.history import history
from modelscan.clients.activation import before_active, comparable, opened, whole
from modelscan.clients.keeping import source_of
from modelscan.clients.registry import OnTrial, Registry, Served
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused, ModelScanError, VersionNotFound
from modelscan.types import Canary, ClientSpec, SdkVersion

__all__ = ["load_registry"]


def load_registry(database: Database, folder: Path, previous: Registry | None = None) -> Registry:
    """The active versions of the catalogue and those on trial; one that cannot be read costs only its provider.

    A version whose file was changed or is gone is served from the copy that is kept. Where that is broken too, what
    `previous` serves goes on being served, else the version that was served before; `problems` says so. What `previous`
    has read already is not read again.
    """
    found = versions.snapshot(database)
    loading = _Loading(database, folder, previous or Registry())
    served = {one.spec.provider: one for version in found.active if (one := loading.served(version))}
    for canary, version in found.canaries:
        if base := served.get(canary.provider):
            served[canary.provider] = loading.with_trial(base, canary, version)
    return Registry.of(found.generation, served.values(), loading.problems, loading.notes)


class _Loading:
    """One making of a registry, and what was amiss."""

    def __init__(self, database: Database, folder: Path, previous: Registry) -> None:
        self._database = database
        self._folder = folder
        self._previous = previous
        self.problems: list[str] = []
        self.notes: list[str] = []

    def served(self, version: SdkVersion) -> Served | None:
        """The version, or what is served in its place; None where nothing can be."""
        before = self._previous.served.get(version.provider)
        known = _known(before, version)
        try:
            source = source_of(self._database, self._folder, version)
            if source.fault:
                self.notes.append(f"{source.fault} The copy that is kept is served.")
            return Served(version, known or read_spec(source.client))
        except GenerationRefused as error:
            found = Served(version, known) if known else self._in_its_place(version, before)
            in_its_place = f" Version {found.version.version} is served in its place." if found and not known else ""
            self.problems.append(f"{error}{in_its_place}")
            return found

    def with_trial(self, one: Served, canary: Canary, version: SdkVersion) -> Served:
        """The provider with the version that is tried, unless that cannot be."""
        try:
            spec = _known(self._previous.served.get(version.provider), version) or self._spec_of(version)
            if not comparable(one.spec, spec):
                raise GenerationRefused(f"Version {version.version} of {version.provider} goes to another server.")
        except (GenerationRefused, VersionNotFound) as error:
            self.problems.append(f"{error} It is not tried.")
            return one
        return one._replace(trial=OnTrial(version, spec, canary))

    def _spec_of(self, version: SdkVersion) -> ClientSpec:
        return read_spec(whole(self._database, version).client)

    def _in_its_place(self, version: SdkVersion, before: Served | None) -> Served | None:
        if before:
            return before._replace(trial=None)
        return next(self._earlier(version), None)

    def _earlier(self, version: SdkVersion) -> Iterator[Served]:
        """The versions that were served before, as far as they can be read."""
        for number in before_active(history(self._database, version.provider)):
            try:
                earlier, spec, _ = opened(self._database, version.provider, number)
            except ModelScanError:
                continue
            yield Served(earlier, spec)


def _known(before: Served | None, version: SdkVersion) -> ClientSpec | None:
    """What was read of that very file before."""
    for one in (before, before.trial if before else None):
        if one and (one.version.sha256, one.version.digest) == (version.sha256, version.digest):
            return one.spec
    return None
