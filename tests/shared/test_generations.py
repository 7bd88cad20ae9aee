import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from modelscan.shared import generations as module
from modelscan.shared.generations import SharedGenerations
from modelscan.shared.ledger import connected
from tests.redis_server import RedisServer

_prefixes = itertools.count()


class Told:
    """In the place of the file: what is announced here is heard here alone."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[int] = asyncio.Queue()

    def announce(self, generation: int = 0) -> None:
        self._said.put_nowait(generation)

    async def changes(self) -> AsyncIterator[int]:
        while True:
            yield await self._said.get()


class Listener(NamedTuple):
    own: SharedGenerations
    heard: list[int]


@asynccontextmanager
async def listening(redis: RedisServer, prefix: str, router: str) -> AsyncIterator[Listener]:
    own = SharedGenerations(Told(), SecretStr(redis.url), prefix, router, 5.0)
    heard: list[int] = []

    async def listen() -> None:
        async for generation in own.changes():
            heard.append(generation)

    task = asyncio.create_task(listen())
    try:
        await until(lambda: own._heard >= 0)
        await asyncio.sleep(0.05)
        yield Listener(own, heard)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(probe: object) -> None:
    assert callable(probe)
    async with asyncio.timeout(20):
        while not probe():  # noqa: ASYNC110 - another connection's doing
            await asyncio.sleep(0.005)


def test_what_one_hears_by_its_file_all_hear_and_it_only_once(redis: RedisServer) -> None:
    async def story() -> None:
        prefix = f"generations{next(_prefixes)}"
        async with listening(redis, prefix, "one") as one, listening(redis, prefix, "other") as other:
            one.own.announce(7)
            await until(lambda: one.heard == other.heard == [7])
            other.own.announce()
            await until(lambda: one.heard == other.heard == [7, 0])

    asyncio.run(story())


def test_who_was_away_when_it_was_told_looks_at_the_catalogue(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.01)

    async def story() -> None:
        async with listening(own_redis, "away", "one") as one:
            one.own.announce(3)
            await until(lambda: one.own._heard == 1)
            own_redis.kill()
            one.own.announce(4)
            await until(lambda: one.heard == [3, 4])
            own_redis.start()
            await until(lambda: one.heard == [3, 4, 0])

    asyncio.run(story())


@pytest.mark.parametrize("words", ["", "hello", "1 two three", "9 stranger x"])
def test_words_of_somebody_else_are_passed_over(redis: RedisServer, words: str) -> None:
    async def story() -> None:
        prefix = f"generations{next(_prefixes)}"
        async with listening(redis, prefix, "one") as one, listening(redis, prefix, "other") as other:
            client = connected(SecretStr(redis.url), 5.0)
            await client.publish(f"{prefix}:generations", words)
            await client.aclose()
            other.own.announce(2)
            await until(lambda: one.heard == [2])

    asyncio.run(story())


def test_where_nothing_is_said_it_compares_now_and_then(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LISTEN_SECONDS", 0.01)

    async def story() -> None:
        prefix = f"generations{next(_prefixes)}"
        async with listening(redis, prefix, "one") as one:
            client = connected(SecretStr(redis.url), 5.0)
            await client.incr(f"{prefix}:announced")  # Its message was lost.
            await client.aclose()
            await until(lambda: one.heard == [0])

    asyncio.run(story())
