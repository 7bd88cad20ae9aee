"""Published clients: a publication is one transaction, and makes a new registry generation."""

import difflib

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.generations import FileGenerations
from modelscan.catalog.options import get_option, set_option
from modelscan.catalog.rows import json_text, query, rows, storable
from modelscan.errors import ProviderNotFound
from modelscan.types import ClientSpec, SdkVersion, ValidationReport, utc_now

__all__ = ["active", "active_of", "all_versions", "generation", "publish", "snapshot"]

_GENERATION = "registry.generation"
_NEAREST = 3


def publish(
    database: Database,
    spec: ClientSpec,
    *,
    path: str,
    sha256: str,
    report: ValidationReport,
    discovery_id: str | None = None,
) -> SdkVersion:
    """Make this client its provider's active version: provider, families, models, version and generation in one go.

    The same file published again is the same version, with what was proved of it now.
    """
    with database.write() as connection:
        _save_provider(connection, spec)
        _save_models(connection, spec)
        version = _version(connection, spec.provider, spec.digest, sha256)
        connection.execute("UPDATE sdk_versions SET active = false WHERE provider = ?", [spec.provider])
        published = SdkVersion(
            provider=spec.provider,
            version=version,
            digest=spec.digest,
            path=path,
            sha256=sha256,
            level=report.level,
            why_not_higher=storable(report.why_not_higher),
            active=True,
            published_at=utc_now(),
            discovery_id=discovery_id,
        )
        connection.execute(query("save_version"), published.model_dump(mode="python"))
        _next_generation(database, connection)
    return published


def active(database: Database) -> tuple[SdkVersion, ...]:
    """The versions that are served, by provider."""
    return snapshot(database)[1]


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


def generation(database: Database) -> int:
    """How many publications there were: the number of the registry that serves them."""
    with database.read() as connection:
        return _generation(connection)


def snapshot(database: Database) -> tuple[int, tuple[SdkVersion, ...]]:
    """The generation and the active versions, seen at one moment."""
    with database.read() as connection:
        found = rows(connection, "SELECT * FROM sdk_versions WHERE active ORDER BY provider")
        return _generation(connection), tuple(SdkVersion.model_validate(row) for row in found)


def _generation(connection: Connection) -> int:
    return int(get_option(connection, _GENERATION, "0"))


def _next_generation(database: Database, connection: Connection) -> int:
    number = _generation(connection) + 1
    set_option(connection, _GENERATION, str(number))
    FileGenerations(database).announce(number)
    return number


def _save_provider(connection: Connection, spec: ClientSpec) -> None:
    values = {"id": spec.provider, "name": storable(spec.name), "protocol": spec.protocol, "base_url": spec.base_url}
    connection.execute(query("save_provider"), {**values, "auth": spec.auth.model_dump_json(), "now": utc_now()})


def _save_models(connection: Connection, spec: ClientSpec) -> None:
    families = json_text(sorted({model.family for model in spec.models if model.family}))
    models = json_text([model.model_dump(mode="json") for model in spec.models])
    ids = [model.id for model in spec.models]
    connection.execute("DELETE FROM models WHERE provider = ? AND NOT list_contains(?, id)", [spec.provider, ids])
    connection.execute(query("save_model"), {"provider": spec.provider, "models": models})
    kept = "provider = ? AND NOT list_contains(from_json(?, '[\"VARCHAR\"]'), name)"
    connection.execute(f"DELETE FROM model_families WHERE {kept}", [spec.provider, families])  # noqa: S608 - no value in it
    connection.execute(query("save_families"), {"provider": spec.provider, "families": families})


def _version(connection: Connection, provider: str, digest: str, sha256: str) -> int:
    sql = "SELECT version, digest, sha256 FROM sdk_versions WHERE provider = ? ORDER BY version DESC LIMIT 1"
    newest = connection.execute(sql, [provider]).fetchone()
    if newest is None:
        return 1
    return int(newest[0]) if newest[1:] == (digest, sha256) else int(newest[0]) + 1
