"""Versions on trial: a share of their provider's requests goes to them, and the usage rows say how they did."""

from collections.abc import Sequence

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.history import note
from modelscan.catalog.publication import next_generation
from modelscan.catalog.rows import query, rows
from modelscan.types import Activation, ActivationKind, Canary, CanaryCounts, CanaryTerms, utc_now

__all__ = ["begin", "canaries", "canaries_in", "counts", "end", "start", "stop"]


def start(database: Database, provider: str, version: int, terms: CanaryTerms, *, actor: str, why: str = "") -> Canary:
    """Have a share of the provider's requests try a version; one that was tried before ends."""
    with database.write() as connection:
        generation = next_generation(database, connection)
        return begin(connection, provider, version, terms, generation, actor=actor, why=why)


def begin(
    connection: Connection,
    provider: str,
    version: int,
    terms: CanaryTerms,
    generation: int,
    *,
    actor: str,
    why: str = "",
) -> Canary:
    """`start` within a transaction that made a generation."""
    told = f"Version {version} is tried in its place."
    stop(connection, provider, generation, actor=actor, why=told)
    canary = Canary(
        **terms.model_dump(include=set(CanaryTerms.model_fields)),
        provider=provider,
        version=version,
        started_at=utc_now(),
        generation=generation,
    )
    connection.execute(query("save_canary"), canary.model_dump(mode="python"))
    note(connection, provider, generation, "canary-started", version, actor=actor, why=why)
    return canary


def stop(
    connection: Connection, provider: str, generation: int, *, actor: str, why: str, but: int | None = None
) -> None:
    """End the trial of a provider, if one runs; that of version `but` is not said to be stopped."""
    for (version,) in connection.execute("SELECT version FROM canaries WHERE provider = ?", [provider]).fetchall():
        connection.execute("DELETE FROM canaries WHERE provider = ?", [provider])
        if version != but:
            note(connection, provider, generation, "canary-stopped", version, actor=actor, why=why)


def end(
    database: Database,
    canary: Canary,
    kind: ActivationKind,
    *,
    actor: str,
    why: str = "",
    seen: CanaryCounts | None = None,
) -> Activation | None:
    """Have its requests go to the version that is served again; None where that trial has ended already."""
    with database.write() as connection:
        if canary not in canaries_in(connection):
            return None
        generation = next_generation(database, connection)
        connection.execute("DELETE FROM canaries WHERE provider = ?", [canary.provider])
        return note(connection, canary.provider, generation, kind, canary.version, actor=actor, why=why, seen=seen)


def canaries(database: Database) -> tuple[Canary, ...]:
    """The trials that run, by provider."""
    with database.read() as connection:
        return canaries_in(connection)


def canaries_in(connection: Connection) -> tuple[Canary, ...]:
    """`canaries` within a transaction."""
    return tuple(Canary.model_validate(row) for row in rows(connection, "SELECT * FROM canaries ORDER BY provider"))


def counts(database: Database, trials: Sequence[Canary]) -> tuple[CanaryCounts, ...]:
    """What the usage rows say of each trial: those of every router process that are in the catalogue by now."""
    with database.read() as connection:
        return tuple(_counts(connection, one) for one in trials)


def _counts(connection: Connection, canary: Canary) -> CanaryCounts:
    asked = {"provider": canary.provider, "version": canary.version, "since": canary.started_at}
    ((tried, failed, base, base_failed),) = connection.execute(query("canary_counts"), asked).fetchall()
    return CanaryCounts.model_validate(
        {"canary": {"requests": tried, "errors": failed}, "base": {"requests": base, "errors": base_failed}}
    )
