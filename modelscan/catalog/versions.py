"""Published clients: a publication is one transaction, and makes a new registry generation."""

import difflib
from typing import Literal, NamedTuple

from modelscan.catalog import canaries, kept
from modelscan.catalog.activations import serve_in
from modelscan.catalog.database import Connection, Database
from modelscan.catalog.history import history_in
from modelscan.catalog.publication import generation_of, next_generation, save_client
from modelscan.catalog.rows import query, rows, storable
from modelscan.errors import ProviderNotFound, VersionNotFound
from modelscan.types import Canary, CanaryTerms, ClientSpec, Kept, SdkVersion, ValidationReport, utc_now

__all__ = [
    "Snapshot",
    "active",
    "active_of",
    "all_versions",
    "find",
    "generation",
    "publish",
    "snapshot",
    "was_rolled_back",
]

_NEAREST = 3
_KEPT = 10


class Snapshot(NamedTuple):
    """What is to be served, seen at one moment."""

    generation: int
    active: tuple[SdkVersion, ...]
    """By provider."""
    canaries: tuple[tuple[Canary, SdkVersion], ...]
    """The trials that run, each with its version."""


def publish(
    database: Database,
    spec: ClientSpec,
    *,
    path: str,
    sha256: str,
    report: ValidationReport,
    discovery_id: str | None = None,
    files: Kept | None = None,
    terms: CanaryTerms | None = None,
    count: int = _KEPT,
    approved: bool = False,
) -> SdkVersion:
    """Make this client its provider's active version: provider, families, models, version and generation in one go.

    The same file published again is the same version, with what was proved of it now. With `terms` a provider that has
    a client tries the new one first. One that was rolled back is not served again by itself, unless `approved`. The
    `files` of the newest `count` versions are kept.
    """
    with database.write() as connection:
        before = _active_number(connection, spec.provider)
        version = _version(connection, spec.provider, spec.digest, sha256)
        fate = _fate(connection, spec.provider, version, before, terms=terms, approved=approved)
        published = SdkVersion(
            provider=spec.provider,
            version=version,
            digest=spec.digest,
            path=path,
            sha256=sha256,
            level=report.level,
            why_not_higher=storable(report.why_not_higher),
            active=fate in ("served", "as before"),
            published_at=utc_now(),
            discovery_id=discovery_id,
        )
        if published.active:  # First, for the version refers to its provider.
            save_client(connection, spec)
        row = {**published.model_dump(mode="python"), "active": version == before}
        connection.execute(query("save_version"), row)
        if files:
            kept.keep(connection, spec.provider, version, files)
        actor = f"discovery {discovery_id}" if discovery_id else "operator"
        if fate == "served":
            serve_in(database, connection, spec, version, "published", actor=actor)
        elif fate == "as before":
            next_generation(database, connection)
        elif fate == "tried" and terms:
            number = next_generation(database, connection)
            canaries.begin(connection, spec.provider, version, terms, number, actor=actor)
        kept.prune(connection, spec.provider, count)
    return published


def _fate(
    connection: Connection,
    provider: str,
    version: int,
    before: int | None,
    *,
    terms: CanaryTerms | None,
    approved: bool,
) -> Literal["served", "as before", "tried", "tried already", "held"]:
    """What becomes of a version that is published, where version `before` is served."""
    if version == before:
        return "as before"
    if before is None:
        return "served"
    if any((one.provider, one.version) == (provider, version) for one in canaries.canaries_in(connection)):
        return "tried already"
    if not approved and _rolled_back(connection, provider, version):
        return "held"
    return "tried" if terms else "served"


def active(database: Database) -> tuple[SdkVersion, ...]:
    """The versions that are served, by provider."""
    return snapshot(database).active


def active_of(database: Database, provider: str) -> SdkVersion:
    """The version of one provider that is served; raises ProviderNotFound, which names the nearest."""
    found = {version.provider: version for version in active(database)}
    if provider in found:
        return found[provider]
    nearest = difflib.get_close_matches(provider, found, n=_NEAREST, cutoff=0.5)
    like = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
    raise ProviderNotFound(
        f"No client of {provider!r} is published.{like}", hint=f"Add it: modelscan add {provider}", nearest=nearest
    )


def all_versions(database: Database, provider: str | None = None) -> tuple[SdkVersion, ...]:
    """All versions of one provider or of all, newest first."""
    sql = "SELECT * FROM sdk_versions WHERE $1 IS NULL OR provider = $1 ORDER BY provider, version DESC"
    with database.read() as connection:
        return tuple(SdkVersion.model_validate(row) for row in rows(connection, sql, [provider]))


def find(database: Database, provider: str, number: int) -> SdkVersion:
    """One version; raises ProviderNotFound, VersionNotFound."""
    active_of(database, provider)
    known = all_versions(database, provider)
    for version in known:
        if version.version == number:
            return version
    raise VersionNotFound(
        f"{provider} has no version {number}: there are {', '.join(str(one.version) for one in reversed(known))}.",
        hint=f"modelscan versions {provider} lists them.",
        provider=provider,
        version=number,
    )


def generation(database: Database) -> int:
    """How often what is served was changed: the number of the registry that serves it."""
    with database.read() as connection:
        return generation_of(connection)


def snapshot(database: Database) -> Snapshot:
    """The generation, the active versions and the trials, seen at one moment."""
    with database.read() as connection:
        found = rows(connection, "SELECT * FROM sdk_versions WHERE active ORDER BY provider")
        trials = canaries.canaries_in(connection)
        tried = rows(connection, "FROM sdk_versions SEMI JOIN canaries USING (provider, version)") if trials else []
        by_name = {one["provider"]: SdkVersion.model_validate(one) for one in tried}
        return Snapshot(
            generation_of(connection),
            tuple(SdkVersion.model_validate(row) for row in found),
            tuple((one, by_name[one.provider]) for one in trials if one.provider in by_name),
        )


def was_rolled_back(database: Database, provider: str, number: int) -> bool:
    """Whether the last that was said of a version is that it is not to be served."""
    with database.read() as connection:
        return _rolled_back(connection, provider, number)


def _rolled_back(connection: Connection, provider: str, number: int) -> bool:
    for one in history_in(connection, provider):
        if {"rolled-back": one.before, "canary-rolled-back": one.version}.get(one.kind) == number:
            return True
        if one.version == number and one.kind != "canary-stopped":
            return False
    return False


def _active_number(connection: Connection, provider: str) -> int | None:
    found = connection.execute("SELECT version FROM sdk_versions WHERE provider = ? AND active", [provider]).fetchone()
    return int(found[0]) if found else None


def _version(connection: Connection, provider: str, digest: str, sha256: str) -> int:
    """The number of that very file, where it was published before, else the next one."""
    sql = "SELECT max(version) FILTER (digest = $2 AND sha256 = $3), max(version) FROM sdk_versions WHERE provider = $1"
    ((same, newest),) = connection.execute(sql, [provider, digest, sha256]).fetchall()
    return int(same) if same is not None else int(newest or 0) + 1
