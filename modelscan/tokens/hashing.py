"""Makes tokens, and hashes them with a key: what the catalogue holds is of no use without the master key."""

import hashlib
import os
import secrets

from pydantic import SecretStr

from modelscan.redaction import redact

__all__ = ["TokenHash", "fresh_id", "fresh_token", "prefix_of"]

_MARK = "msk-"
_SECRET_BYTES = 24
_SHOWN = 8


class TokenHash:
    """BLAKE2b under a random key, which is kept sealed: a change of the master key only seals it anew.

    A token has 192 random bits, so a slow hash would protect nothing; the keyed one keeps a copy of the catalogue from
    telling even whether a token is in it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, token: bytes) -> bytes:
        """The hash by which a token is found (1 µs, where OpenSSL's HMAC takes 4)."""
        return hashlib.blake2b(token, key=self._key, digest_size=32).digest()


def fresh_id() -> str:
    """An id that no token has."""
    return f"tok_{os.urandom(8).hex()}"


def fresh_token() -> SecretStr:
    """A token that nobody had before; this process takes it out of all that it says."""
    secret = SecretStr(_MARK + secrets.token_urlsafe(_SECRET_BYTES))
    redact.learn(secret)
    return secret


def prefix_of(token: SecretStr) -> str:
    """What may be shown of it: four characters beside the mark, an eighth of its secret."""
    return token.get_secret_value()[:_SHOWN]
