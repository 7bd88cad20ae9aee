"""The ledger of all routers in Redis: one script, so that nobody comes between what is read and what is granted."""

import asyncio
import logging
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Protocol

import orjson
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

__all__ = ["Ledger", "RedisLedger"]

_SCRIPT = files("modelscan.shared").joinpath("ledger.lua").read_text()
_log = logging.getLogger(__name__)


class Ledger(Protocol):
    """Where routers write down together what they take."""

    async def apply(self, operations: Sequence[Sequence[Any]]) -> list[Any] | None:
        """The answer to each operation of `ledger.lua`, all applied at once; None: it does not know this router.

        Raises ConnectionError where it cannot be asked; whether they were applied is then unknown.
        """

    async def close(self) -> None:
        """Let go of it."""


class RedisLedger:
    """At `url`; every name there begins with `prefix`. Answers that take longer than `seconds` are none."""

    def __init__(self, url: SecretStr, prefix: str, router: str, seconds: float) -> None:
        self._redis = connected(url, seconds)
        self._apply = self._redis.register_script(_SCRIPT)
        self._named = [prefix, router]
        self._seconds = seconds

    async def apply(self, operations: Sequence[Sequence[Any]]) -> list[Any] | None:
        """As `Ledger` says."""
        try:
            async with asyncio.timeout(self._seconds):
                told = await self._apply(args=[*self._named, orjson.dumps(operations)])
        except (RedisError, OSError, TimeoutError) as error:
            # Its text is not told: it may quote the address, and so a password.
            _log.debug("Redis did not answer: %s", type(error).__name__)
            raise ConnectionError(type(error).__name__) from None
        found: list[Any] | bool = orjson.loads(told)
        return found if isinstance(found, list) else None

    async def close(self) -> None:
        """End its connections."""
        await self._redis.aclose()


def connected(url: SecretStr, seconds: float) -> Redis:
    """A client that fails at once: whoever asks goes on without Redis, and tries it again later."""
    client: Redis = Redis.from_url(
        url.get_secret_value(),
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return client
