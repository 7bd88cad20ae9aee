"""Which version of a client is served: each change is one transaction, one new generation, and a row that says why."""

from modelscan.catalog.canaries import canaries_in, stop
from modelscan.catalog.database import Connection, Database
from modelscan.catalog.history import note
from modelscan.catalog.publication import next_generation, save_client
from modelscan.types import Activation, ActivationKind, Canary, CanaryCounts, ClientSpec

__all__ = ["promote", "serve", "serve_in"]


def serve(
    database: Database, spec: ClientSpec, version: int, kind: ActivationKind, *, actor: str, why: str = ""
) -> Activation:
    """Have a version that was published served from now on; a trial that runs ends."""
    with database.write() as connection:
        return serve_in(database, connection, spec, version, kind, actor=actor, why=why)


def serve_in(
    database: Database,
    connection: Connection,
    spec: ClientSpec,
    version: int,
    kind: ActivationKind,
    *,
    actor: str,
    why: str = "",
    seen: CanaryCounts | None = None,
) -> Activation:
    """`serve` within a transaction."""
    generation = next_generation(database, connection)
    stop(connection, spec.provider, generation, actor=actor, why=f"Version {version} is served now.", but=version)
    noted = note(connection, spec.provider, generation, kind, version, actor=actor, why=why, seen=seen)
    save_client(connection, spec)
    connection.execute("UPDATE sdk_versions SET active = (version = ?) WHERE provider = ?", [version, spec.provider])
    return noted


def promote(
    database: Database, canary: Canary, spec: ClientSpec, *, actor: str, why: str, seen: CanaryCounts
) -> Activation | None:
    """Serve what was tried to all; None where that trial has ended already."""
    with database.write() as connection:
        if canary not in canaries_in(connection):
            return None
        return serve_in(database, connection, spec, canary.version, "canary-promoted", actor=actor, why=why, seen=seen)
