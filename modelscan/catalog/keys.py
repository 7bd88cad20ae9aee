"""Upstream keys at rest: what people may see of them, and the sealed key itself."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.providers import insert_candidate
from modelscan.catalog.rows import query, rows
from modelscan.errors import InvalidInput, KeyLimitReached, KeyNotFound
from modelscan.types import ApiKey

__all__ = [
    "MAX_KEYS",
    "KeyStanding",
    "change",
    "ciphertext_of",
    "delete",
    "find",
    "insert",
    "list_keys",
    "replace",
    "save_standings",
    "sealed",
    "used_since",
]

MAX_KEYS = 100
"""A provider."""
_SEEN = "* EXCLUDE (ciphertext)"


class KeyStanding(NamedTuple):
    """How a key stands with its provider."""

    provider: str
    key_id: str
    disabled: bool
    """By the provider; a key that was disabled otherwise stays so."""
    status: int | None
    """Of the last refusal."""
    at: datetime | None
    rests_until: datetime | None


def insert(database: Database, key: ApiKey, ciphertext: bytes) -> ApiKey:
    """Store a key, or return the one that is there already. Raises KeyLimitReached at the 101st.

    One that is there and disabled is active again where the operator gives it by hand, or where it was only absent
    from the configuration; else it stays disabled. A key that was added through the API stays one, wherever else it is
    found. One that is given for another server is that server's from then on.
    """
    with database.write() as connection:
        insert_candidate(connection, key.provider)
        found = _of(connection, key.provider, key.id)
        if found and found.state == "disabled" and key.origin != "api" and found.disabled_for != "absent":
            return found
        if found is None or found.state == "disabled":
            _refuse_too_many(connection, key.provider)
        if found is None:
            _insert(connection, key, ciphertext)
            return key
        taken = found.model_copy(
            update={
                "state": "active",
                "disabled_for": None,
                "origin": found.origin if found.origin == "api" else key.origin,
                "host": key.host,
                "label": key.label or found.label,
                "rests_until": None if key.origin == "api" else found.rests_until,
            }
        )
        _update(connection, taken, ciphertext=ciphertext)
    return taken


def list_keys(database: Database, provider: str | None = None) -> tuple[ApiKey, ...]:
    """The keys of one provider or of all, as people see them."""
    sql = f"SELECT {_SEEN} FROM api_keys WHERE $1 IS NULL OR provider = $1 ORDER BY provider, created_at, id"  # noqa: S608
    with database.read() as connection:
        return tuple(ApiKey.model_validate(row) for row in rows(connection, sql, [provider]))


def find(database: Database, provider: str, named: str) -> ApiKey:
    """The key of `provider` whose id is, or begins with, `named`, or whose label is that.

    Raises KeyNotFound, and InvalidInput where several are meant.
    """
    keys = list_keys(database, provider)
    found = [key for key in keys if named in (key.id, key.label)] if named else []
    found = found or [key for key in keys if named and key.id.startswith(named)]
    if len(found) == 1:
        return found[0]
    see = f"modelscan keys list {provider} shows their ids."
    if found:
        raise InvalidInput(f"{len(found)} keys of {provider} are meant by {named!r}.", hint=see)
    raise KeyNotFound(f"{provider} has no key {named!r}.", hint=see, provider=provider)


def sealed(database: Database) -> tuple[tuple[ApiKey, bytes], ...]:
    """The active keys with their ciphertexts."""
    with database.read() as connection:
        found = rows(connection, "SELECT * FROM api_keys WHERE state = 'active' ORDER BY provider, created_at, id")
    return tuple((ApiKey.model_validate(row), ciphertext) for row in found for ciphertext in [row.pop("ciphertext")])


def ciphertext_of(database: Database, key: ApiKey) -> bytes:
    """The sealed key itself, active or not. Raises KeyNotFound where it is gone meanwhile."""
    sql = "SELECT ciphertext FROM api_keys WHERE provider = ? AND id = ?"
    with database.read() as connection:
        found = connection.execute(sql, [key.provider, key.id]).fetchall()
    if not found:
        raise _gone(key)
    return bytes(found[0][0])


def change(database: Database, key: ApiKey, **changed: Any) -> ApiKey:
    """Store other values of some fields, and return the key with them. Raises KeyNotFound where it is gone meanwhile,
    KeyLimitReached where it would be the 101st that is active.
    """
    with database.write() as connection:
        found = _of(connection, key.provider, key.id)
        if found is None:
            raise _gone(key)
        if changed.get("state") == "active" and found.state != "active":
            _refuse_too_many(connection, key.provider)
        changed_key = found.model_copy(update=changed)
        _update(connection, changed_key)
    return changed_key


def delete(database: Database, key: ApiKey) -> None:
    """Forget a key; the usage rows that name its id stay."""
    with database.write() as connection:
        connection.execute("DELETE FROM api_keys WHERE provider = ? AND id = ?", [key.provider, key.id])


def replace(database: Database, before: ApiKey, key: ApiKey, ciphertext: bytes) -> ApiKey:
    """Store `key` in the place of `before`, with its limits, label and server, in one transaction.

    Raises InvalidInput where it is stored already, KeyNotFound where `before` is gone.
    """
    with database.write() as connection:
        found = _of(connection, before.provider, before.id)
        if found is None:
            raise _gone(before)
        if _of(connection, key.provider, key.id):
            raise InvalidInput(f"{key.provider} has this key already.", hint="Delete the old one instead.")
        if found.state != "active":
            _refuse_too_many(connection, key.provider)
        kept = {name: getattr(found, name) for name in ("host", "label", "rpm", "tpm", "daily")}
        fresh = key.model_copy(update=kept)
        connection.execute("DELETE FROM api_keys WHERE provider = ? AND id = ?", [before.provider, before.id])
        _insert(connection, fresh, ciphertext)
    return fresh


def save_standings(database: Database, standings: Iterable[KeyStanding]) -> None:
    """Keep how keys stand with their providers, all in one transaction; those that are gone are passed over."""
    sql = "UPDATE api_keys SET fault_status = $status, fault_at = $at, rests_until = $rests_until"
    which = "WHERE provider = $provider AND id = $key_id AND state = 'active'"
    refuse = f"UPDATE api_keys SET state = 'disabled', disabled_for = 'refused' {which}"  # noqa: S608 - constants
    with database.write() as connection:
        for one in standings:
            values = one._asdict()
            disabled = values.pop("disabled")
            connection.execute(f"{sql} {which}", values)
            if disabled:
                connection.execute(refuse, {"provider": one.provider, "key_id": one.key_id})


def used_since(
    database: Database, *, minute: datetime, day: datetime
) -> Mapping[str, Mapping[str, tuple[int, int, int]]]:
    """By provider and key what the usage rows count: requests and tokens since `minute`, requests since `day`.

    A request that was refused for its key (401, 403, 429) does not count.
    """
    with database.read() as connection:
        found = rows(connection, query("key_windows"), {"minute": minute, "day": day})
    by_provider: dict[str, dict[str, tuple[int, int, int]]] = {}
    for row in found:
        used = row["requests"], row["tokens"], row["requests_today"]
        by_provider.setdefault(row["provider"], {})[row["key_id"]] = used
    return by_provider


def _gone(key: ApiKey) -> KeyNotFound:
    return KeyNotFound(f"{key.provider} has no key {key.id!r} any more.", provider=key.provider)


def _of(connection: Connection, provider: str, key_id: str) -> ApiKey | None:
    sql = f"SELECT {_SEEN} FROM api_keys WHERE provider = ? AND id = ?"  # noqa: S608 - a constant
    found = rows(connection, sql, [provider, key_id])
    return ApiKey.model_validate(found[0]) if found else None


def _insert(connection: Connection, key: ApiKey, ciphertext: bytes) -> None:
    values = {**key.model_dump(mode="python"), "ciphertext": ciphertext}
    names = ", ".join(values)
    places = ", ".join(f"${name}" for name in values)
    connection.execute(f"INSERT INTO api_keys ({names}) VALUES ({places})", values)  # noqa: S608 - our own field names


def _update(connection: Connection, key: ApiKey, **more: bytes) -> None:
    """All but what names it, and what the usage rows count on it."""
    values = {**key.model_dump(mode="python", exclude={"requests", "tokens", "sha256", "prefix", "created_at"}), **more}
    sets = ", ".join(f"{name} = ${name}" for name in values if name not in ("provider", "id"))
    connection.execute(f"UPDATE api_keys SET {sets} WHERE provider = $provider AND id = $id", values)  # noqa: S608 - ours


def _refuse_too_many(connection: Connection, provider: str) -> None:
    sql = "SELECT count(*) FROM api_keys WHERE provider = ? AND state = 'active'"
    ((count,),) = connection.execute(sql, [provider]).fetchall()
    if count >= MAX_KEYS:
        raise KeyLimitReached(
            f"{provider} has {MAX_KEYS} keys, the most that may be in use.",
            hint=f"Delete or disable one first: modelscan keys list {provider}",
            provider=provider,
            limit=MAX_KEYS,
        )
