"""What a client that is served says of its provider, as rows; and the number of the registry that serves it."""

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.generations import FileGenerations
from modelscan.catalog.options import get_option, set_option
from modelscan.catalog.rows import json_text, query, storable
from modelscan.types import ClientSpec, utc_now

__all__ = ["generation_of", "next_generation", "save_client"]

_GENERATION = "registry.generation"


def generation_of(connection: Connection) -> int:
    """How often what is served was changed."""
    return int(get_option(connection, _GENERATION, "0"))


def next_generation(database: Database, connection: Connection) -> int:
    """Raise it, and announce that within the transaction; returns the new one."""
    number = generation_of(connection) + 1
    set_option(connection, _GENERATION, str(number))
    FileGenerations(database).announce(number)
    return number


def save_client(connection: Connection, spec: ClientSpec) -> None:
    """Write the provider, its models and their families as `spec` has them."""
    values = {"id": spec.provider, "name": storable(spec.name), "protocol": spec.protocol, "base_url": spec.base_url}
    connection.execute(query("save_provider"), {**values, "auth": spec.auth.model_dump_json(), "now": utc_now()})
    families = json_text(sorted({model.family for model in spec.models if model.family}))
    models = json_text([model.model_dump(mode="json") for model in spec.models])
    ids = [model.id for model in spec.models]
    connection.execute("DELETE FROM models WHERE provider = ? AND NOT list_contains(?, id)", [spec.provider, ids])
    connection.execute(query("save_model"), {"provider": spec.provider, "models": models})
    kept = "provider = ? AND NOT list_contains(from_json(?, '[\"VARCHAR\"]'), name)"
    connection.execute(f"DELETE FROM model_families WHERE {kept}", [spec.provider, families])  # noqa: S608 - no value in it
    connection.execute(query("save_families"), {"provider": spec.provider, "families": families})
