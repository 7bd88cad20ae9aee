"""Providers and their models, as people list them."""

from decimal import Decimal
from typing import Any

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import query, rows
from modelscan.types import Model, Price, Provider, utc_now

__all__ = ["add_candidate", "all_providers", "insert_candidate", "known_ids", "models_of"]


def add_candidate(database: Database, provider: str, name: str | None = None) -> None:
    """Make the row that keys may refer to before anything is known of the provider; does nothing if it is there."""
    with database.write() as connection:
        insert_candidate(connection, provider, name)


def insert_candidate(connection: Connection, provider: str, name: str | None = None) -> None:
    """`add_candidate` within a transaction."""
    sql = "INSERT INTO providers (id, name, state, created_at) VALUES (?, ?, 'candidate', ?) ON CONFLICT DO NOTHING"
    connection.execute(sql, [provider, name or provider, utc_now()])


def all_providers(database: Database) -> tuple[Provider, ...]:
    """Every provider, by id."""
    with database.read() as connection:
        return tuple(Provider.model_validate(row) for row in rows(connection, query("all_providers")))


def known_ids(database: Database) -> tuple[str, ...]:
    """The ids of all providers."""
    return tuple(provider.id for provider in all_providers(database))


def models_of(database: Database, provider: str | None = None) -> tuple[tuple[str, Model], ...]:
    """(provider, model) of one provider or of all."""
    sql = "SELECT * FROM models WHERE $1 IS NULL OR provider = $1 ORDER BY provider, id"
    with database.read() as connection:
        return tuple((row["provider"], _model(row)) for row in rows(connection, sql, [provider]))


def _model(row: dict[str, Any]) -> Model:
    prices = {name: _plain(row[name]) for name in Price.model_fields}
    price = Price(**prices) if any(value is not None for value in prices.values()) else None
    fields = {name: row[name] for name in Model.model_fields if name != "price"}
    return Model.model_validate({**fields, "price": price})


def _plain(price: Decimal | None) -> Decimal | None:
    """Without the zeros that fill the column's nine decimals."""
    return None if price is None else Decimal(f"{price.normalize():f}")
