"""Tokens between the catalogue, the master key and those who issue and check them."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import SecretStr, ValidationError

from modelscan.catalog import tokens as table
from modelscan.catalog.database import Database
from modelscan.custody.keeping import kept_secret
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidInput
from modelscan.tokens.book import Entry
from modelscan.tokens.hashing import TokenHash, fresh_id, fresh_token, prefix_of
from modelscan.tokens.spent import Most, Spent, spent
from modelscan.types import ClientToken, TokenRole, TokenTerms, utc_now

__all__ = ["Issued", "Loaded", "change", "issue", "load", "rotate"]

_HASH_KEY = "client-tokens"


class Issued(NamedTuple):
    """A token and, this once, its text."""

    token: ClientToken
    secret: SecretStr


class Loaded(NamedTuple):
    """What a TokenBook holds."""

    entries: tuple[Entry, ...]
    hash: TokenHash | None
    """None where there is no token."""
    spent: Mapping[str, Spent]
    """By id, what the usage rows say."""


def issue(
    database: Database,
    custody: Custody,
    name: str,
    *,
    role: TokenRole = "client",
    terms: TokenTerms = TokenTerms(),  # noqa: B008 - frozen
    expires_at: datetime | None = None,
) -> Issued:
    """Make a token and store its hash.

    Raises InvalidInput where the name is taken, the end is past or the terms are of no use to the role, and
    InvalidConfiguration where the tokens that there are were made under another master key.
    """
    now = utc_now()
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The token would have expired already.", hint="Name a time to come, or a span such as 30d.")
    _refuse_terms(role, terms)
    secret, hash_ = fresh_token(), _hash(database, custody)
    token = _made(
        id=fresh_id(),
        name=name,
        role=role,
        prefix=prefix_of(secret),
        created_at=now,
        expires_at=expires_at,
        terms=terms,
    )
    return Issued(table.insert(database, token, hash_.of(_bytes(secret))), secret)


def rotate(database: Database, custody: Custody, name: str) -> Issued:
    """Have another text open what the token opens, in place of the one before; its limits and counters stay.

    Raises TokenNotFound, InvalidInput where it was revoked, and InvalidConfiguration as `issue` does.
    """
    secret, hash_ = fresh_token(), _hash(database, custody)
    return Issued(table.replace(database, name, prefix_of(secret), hash_.of(_bytes(secret))), secret)


def change(database: Database, name: str, terms: TokenTerms) -> ClientToken:
    """Give a token other terms; raises TokenNotFound, and InvalidInput where they are of no use to its role."""
    _refuse_terms(table.find(database, name).role, terms)
    return table.change(database, name, terms)


def load(database: Database, custody: Custody, now: float, most: Most = lambda *_: None) -> Loaded:
    """All tokens, and what they have used at `now`; `most` tells prices.

    Raises InvalidConfiguration where they were made under another master key.
    """
    entries = tuple(Entry(*row) for row in table.hashed(database))
    if not entries:
        return Loaded((), None, {})
    return Loaded(entries, _hash(database, custody), spent(database, now, most))


def _made(**fields: object) -> ClientToken:
    try:
        return ClientToken.model_validate(fields)
    except ValidationError:
        raise InvalidInput(
            f"A token cannot be called {str(fields['name'])[:64]!r}.",
            hint="A name is one word of letters, digits and . _ @ -, which begins with a letter or a digit.",
        ) from None


def _refuse_terms(role: TokenRole, terms: TokenTerms) -> None:
    if role != "client" and terms != TokenTerms():
        raise InvalidInput(
            f"A token of the role {role} uses no model, so it has no limits.",
            hint="Leave them out, or issue a token without a role.",
        )


def _hash(database: Database, custody: Custody) -> TokenHash:
    return TokenHash(kept_secret(database, custody, _HASH_KEY))


def _bytes(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()
