"""Tells routers on other machines at once what is announced on this one: over Redis, beside the file that all see."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from pydantic import SecretStr
from redis.exceptions import RedisError

from modelscan.catalog.generations import Generations
from modelscan.shared.ending import cancelled
from modelscan.shared.ledger import connected

__all__ = ["SharedGenerations"]

_AGAIN_SECONDS = 1.0
_LISTEN_SECONDS = 5.0
_log = logging.getLogger(__name__)


class SharedGenerations:
    """What comes by the file goes on to the others. A network's file system may show a new file only after a minute.

    Each message has a number, and Redis knows the last one: who was away when it came looks at the catalogue.
    """

    def __init__(self, inner: Generations, url: SecretStr, prefix: str, router: str, seconds: float) -> None:
        self._inner = inner
        self._redis = connected(url, seconds)
        self._channel, self._counter = f"{prefix}:generations", f"{prefix}:announced"
        self._router = router
        self._heard = -1
        """The number of the last message; -1: nothing was compared yet."""

    def announce(self, generation: int = 0) -> None:
        """As `Generations` says; who reads the file tells the others."""
        self._inner.announce(generation)

    async def changes(self) -> AsyncIterator[int]:
        """As `Generations` says, from here or from elsewhere."""
        found: asyncio.Queue[int] = asyncio.Queue()
        working = [asyncio.create_task(self._pass_on(found)), asyncio.create_task(self._listen(found))]
        try:
            while True:
                yield await found.get()
        finally:
            await cancelled(working)
            await self._redis.aclose()

    async def _pass_on(self, found: asyncio.Queue[int]) -> None:
        async for generation in self._inner.changes():
            found.put_nowait(generation)
            with suppress(RedisError, OSError):  # The others look at the file, too, and compare when Redis is back.
                number = await self._redis.incr(self._counter)
                await self._redis.publish(self._channel, f"{number} {self._router} {generation}")

    async def _listen(self, found: asyncio.Queue[int]) -> None:
        while True:
            try:
                await self._hear(found)
            except (RedisError, OSError) as error:
                _log.debug("announcements are not heard: %s", type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _hear(self, found: asyncio.Queue[int]) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as listening:
            await listening.subscribe(self._channel)
            while True:
                number = int(await self._redis.get(self._counter) or 0)
                if number != self._heard:
                    if self._heard >= 0:
                        found.put_nowait(0)
                    self._heard = number
                message = await listening.get_message(timeout=_LISTEN_SECONDS)
                while message is not None:
                    self._take(message["data"], found)
                    message = await listening.get_message(timeout=_LISTEN_SECONDS)

    def _take(self, told: bytes, found: asyncio.Queue[int]) -> None:
        with suppress(ValueError):  # Somebody else's words.
            number, router, generation = told.decode().split()
            self._heard = int(number)
            if router != self._router:
                found.put_nowait(int(generation))
