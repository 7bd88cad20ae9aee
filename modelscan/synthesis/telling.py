"""Versions as people list them: what becomes of each, and what it changed."""

from modelscan.catalog.database import Database
from modelscan.clients.activation import known, opened
from modelscan.errors import GenerationRefused, VersionNotFound
from modelscan.synthesis.changes import changes_between
from modelscan.types import Change, ClientSpec, KnownVersion

__all__ = ["told_versions"]


def told_versions(database: Database, provider: str | None = None) -> tuple[KnownVersion, ...]:
    """All versions, newest first; those of one provider with what each changed against the version before it."""
    found = known(database, provider)
    if provider is None:
        return found
    specs = {one.version.version: _spec(database, one) for one in found}
    return tuple(one.model_copy(update={"changes": _changes(specs, one.version.version)}) for one in found)


def _spec(database: Database, one: KnownVersion) -> ClientSpec | None:
    try:
        return opened(database, one.version.provider, one.version.version)[1]
    except (GenerationRefused, VersionNotFound):
        return None


def _changes(specs: dict[int, ClientSpec | None], number: int) -> tuple[Change, ...]:
    before, after = specs.get(number - 1), specs[number]
    return changes_between(before, after) if before and after else ()
