"""Upstream keys at rest: what people may see of them, and the sealed key itself."""

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.providers import insert_candidate
from modelscan.catalog.rows import rows
from modelscan.errors import KeyLimitReached
from modelscan.types import ApiKey

__all__ = ["MAX_KEYS", "insert", "list_keys", "sealed", "set_state"]

MAX_KEYS = 100
"""A provider."""
_SEEN = "* EXCLUDE (ciphertext)"


def insert(database: Database, key: ApiKey, ciphertext: bytes) -> ApiKey:
    """Store a key, or return the one that is there already (active again). Raises KeyLimitReached at the 101st.

    A key that was added through the API stays one, wherever else it is found. One that is given for another server is
    that server's from then on.
    """
    with database.write() as connection:
        insert_candidate(connection, key.provider)
        found = _of(connection, key.provider, key.id)
        if found is None or found.state == "disabled":
            _refuse_too_many(connection, key.provider)
        if found:
            origin = found.origin if found.origin == "api" else key.origin
            sql = "UPDATE api_keys SET state = 'active', origin = ?, host = ?, ciphertext = ?"
            connection.execute(
                f"{sql} WHERE provider = ? AND id = ?", [origin, key.host, ciphertext, key.provider, key.id]
            )
            return found.model_copy(update={"state": "active", "origin": origin, "host": key.host})
        values = {**key.model_dump(mode="python"), "ciphertext": ciphertext}
        names = ", ".join(values)
        places = ", ".join(f"${name}" for name in values)
        connection.execute(f"INSERT INTO api_keys ({names}) VALUES ({places})", values)  # noqa: S608 - our own field names
    return key


def list_keys(database: Database, provider: str | None = None) -> tuple[ApiKey, ...]:
    """The keys of one provider or of all, as people see them."""
    sql = f"SELECT {_SEEN} FROM api_keys WHERE $1 IS NULL OR provider = $1 ORDER BY provider, created_at, id"  # noqa: S608
    with database.read() as connection:
        return tuple(ApiKey.model_validate(row) for row in rows(connection, sql, [provider]))


def sealed(database: Database) -> tuple[tuple[ApiKey, bytes], ...]:
    """The active keys with their ciphertexts."""
    with database.read() as connection:
        found = rows(connection, "SELECT * FROM api_keys WHERE state = 'active' ORDER BY provider, created_at, id")
    return tuple((ApiKey.model_validate(row), ciphertext) for row in found for ciphertext in [row.pop("ciphertext")])


def set_state(database: Database, provider: str, key_id: str, state: str) -> None:
    """Make a key `active` or `disabled`."""
    with database.write() as connection:
        connection.execute("UPDATE api_keys SET state = ? WHERE provider = ? AND id = ?", [state, provider, key_id])


def _of(connection: Connection, provider: str, key_id: str) -> ApiKey | None:
    sql = f"SELECT {_SEEN} FROM api_keys WHERE provider = ? AND id = ?"  # noqa: S608 - a constant
    found = rows(connection, sql, [provider, key_id])
    return ApiKey.model_validate(found[0]) if found else None


def _refuse_too_many(connection: Connection, provider: str) -> None:
    sql = "SELECT count(*) FROM api_keys WHERE provider = ? AND state = 'active'"
    ((count,),) = connection.execute(sql, [provider]).fetchall()
    if count >= MAX_KEYS:
        raise KeyLimitReached(
            f"{provider} has {MAX_KEYS} keys, the most that may be in use.",
            hint="Take one out of the configuration or the environment first.",
            provider=provider,
            limit=MAX_KEYS,
        )
