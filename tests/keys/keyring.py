"""Keys and a clock for the tests of the pool."""

from typing import Any

from pydantic import SecretStr

from modelscan.keys.describing import describe
from modelscan.keys.lease import Lease
from modelscan.keys.pool import KeyPool
from modelscan.keys.store import UsableKey

__all__ = ["NOON", "Clock", "chosen", "ids", "key_id", "pool_of", "usable"]

NOON = 1_700_049_600.0
"""2023-11-15 12:00:00 UTC, the beginning of a minute."""


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def usable(text: str, **more: Any) -> UsableKey:
    """The key that is `text`, with these fields."""
    key = describe(SecretStr(text), "acme", "api").model_copy(update=more)
    return UsableKey(key=key, secret=SecretStr(text))


def key_id(text: str) -> str:
    return usable(text).key.id


def pool_of(clock: Clock, *texts: str, cooldown: float = 900.0, **more: Any) -> KeyPool:
    """A pool of keys of acme that all have these fields."""
    pool = KeyPool(cooldown, clock=clock)
    pool.replace({"acme": [usable(text, **more) for text in texts]})
    return pool


def chosen(pool: KeyPool, tokens: int = 1, **more: Any) -> Lease:
    """The lease of a request, which must get one."""
    found = pool.choose("acme", tokens, **more)
    assert found is not None
    return found


def ids(pool: KeyPool, times: int) -> list[str | None]:
    """The secrets of the keys that so many requests get."""
    found = (pool.choose("acme") for _ in range(times))
    return [one.usable.secret.get_secret_value() if one else None for one in found]
