"""Callers' tokens at rest: what people may see of them, and the keyed hash by which one is found."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from modelscan.catalog.connection import Connection
from modelscan.catalog.database import Database
from modelscan.catalog.rows import json_text, query, rows, storable
from modelscan.errors import InvalidInput, TokenNotFound
from modelscan.types import ClientToken, TokenTerms, utc_now

__all__ = ["change", "delete", "find", "hashed", "insert", "list_tokens", "replace", "revoke", "used"]

_SEEN = "* EXCLUDE (hash)"
_NAMED = "name = $1 OR id = $1"


def insert(database: Database, token: ClientToken, hash_: bytes) -> ClientToken:
    """Store a new one; raises InvalidInput where another one has its name."""
    values = {**token.model_dump(mode="python"), "terms": _json(token.terms), "hash": hash_}
    names = ", ".join(values)
    places = ", ".join(f"${name}" for name in values)
    with database.write() as connection:
        if connection.execute("SELECT 1 FROM client_tokens WHERE name = ?", [token.name]).fetchone():
            raise InvalidInput(
                f"There is a token {token.name} already.",
                hint=f"Choose another name, or delete it first: modelscan tokens delete {token.name}",
                name=token.name,
            )
        connection.execute(f"INSERT INTO client_tokens ({names}) VALUES ({places})", values)  # noqa: S608 - our own field names
    return token


def list_tokens(database: Database) -> tuple[ClientToken, ...]:
    """All of them, also those that were revoked or have expired, the oldest first."""
    with database.read() as connection:
        found = rows(connection, f"SELECT {_SEEN} FROM client_tokens ORDER BY created_at, id")  # noqa: S608 - a constant
    return tuple(_token(row) for row in found)


def hashed(database: Database) -> tuple[tuple[ClientToken, bytes], ...]:
    """All of them, each with its hash."""
    with database.read() as connection:
        found = rows(connection, "SELECT * FROM client_tokens ORDER BY created_at, id")
    return tuple((_token(row), hash_) for row in found for hash_ in [row.pop("hash")])


def find(database: Database, name: str) -> ClientToken:
    """The one of that name or id; raises TokenNotFound."""
    with database.read() as connection:
        return _of(connection, name)


def revoke(database: Database, name: str) -> ClientToken:
    """End one, for good, and return it as it is now; raises TokenNotFound."""
    with database.write() as connection:
        token = _of(connection, name)
        if token.revoked_at is None:
            token = token.model_copy(update={"revoked_at": utc_now()})
            connection.execute("UPDATE client_tokens SET revoked_at = ? WHERE id = ?", [token.revoked_at, token.id])
    return token


def change(database: Database, name: str, terms: TokenTerms) -> ClientToken:
    """Give one other terms, and return it as it is now; raises TokenNotFound."""
    with database.write() as connection:
        token = _of(connection, name).model_copy(update={"terms": terms})
        connection.execute("UPDATE client_tokens SET terms = ? WHERE id = ?", [_json(terms), token.id])
    return token


def replace(database: Database, name: str, prefix: str, hash_: bytes) -> ClientToken:
    """Have one be found by another hash, and return it as it is now; raises TokenNotFound, InvalidInput."""
    with database.write() as connection:
        token = _of(connection, name).model_copy(update={"prefix": prefix})
        if token.revoked_at is not None:
            raise InvalidInput(f"The token {token.name} was revoked.", hint="Issue another one: modelscan tokens issue")
        connection.execute("UPDATE client_tokens SET prefix = ?, hash = ? WHERE id = ?", [prefix, hash_, token.id])
    return token


def delete(database: Database, name: str) -> ClientToken:
    """Forget one, and return what it was; raises TokenNotFound."""
    with database.write() as connection:
        token = _of(connection, name)
        connection.execute("DELETE FROM client_tokens WHERE id = ?", [token.id])
    return token


def used(database: Database, minute: datetime, day: datetime, month: datetime) -> list[dict[str, Any]]:
    """What the usage rows since these times say, by token, provider and model (`queries/token_usage.sql`)."""
    with database.read() as connection:
        return rows(connection, query("token_usage"), {"minute": minute, "day": day, "month": month})


def _of(connection: Connection, name: str) -> ClientToken:
    found = rows(connection, f"SELECT {_SEEN} FROM client_tokens WHERE {_NAMED}", [storable(name)])  # noqa: S608 - constants
    if not found:
        raise TokenNotFound(
            f"There is no token {name[:64]!r}.", hint="modelscan tokens list names them.", name=name[:64]
        )
    return _token(found[0])


def _token(row: Mapping[str, Any]) -> ClientToken:
    return ClientToken.model_validate({**row, "terms": json.loads(row["terms"])})


def _json(terms: TokenTerms) -> str:
    return json_text(terms.model_dump(mode="json", exclude_defaults=True))
