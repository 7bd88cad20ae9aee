"""The feed of changes to many listeners: whole, in order, and read at one rate however many they are."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modelscan.catalog import drift
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.errors import CatalogBusy, TooManyListeners
from modelscan.types import FeedEntry
from router_app.change_feed import ChangeFeed
from tests.drift.looks import change
from tests.router_app.routers import eventually

Story = Callable[["Feed"], Coroutine[Any, Any, None]]


class Feed:
    """A feed that looks every 10 ms, what is written to it, and how often it was read."""

    def __init__(self, database: Database, **more: Any) -> None:
        self.database = database
        self.closed = asyncio.Event()
        self.reads = 0
        self.failures = 0
        self.feed = ChangeFeed(database, self.closed, **{"every": 0.01, "heartbeat": 5.0, "pages": self._pages, **more})
        self._written = 0

    def _pages(self, database: Database, after: int, limit: int = 500, /) -> tuple[FeedEntry, ...]:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise CatalogBusy("held by another")
        return drift.feed(database, after, limit)

    async def write(self, count: int) -> None:
        found = [change(str(one), model=f"m{one}") for one in range(self._written, self._written + count)]
        self._written += count
        await asyncio.to_thread(drift.record, self.database, found)

    @asynccontextmanager
    async def listener(self, after: int | None = None) -> AsyncIterator[AsyncIterator[FeedEntry | None]]:
        await self.feed.enter()
        try:
            yield self.feed.lines(after)
        finally:
            self.feed.leave()

    async def heard(self, count: int, after: int | None = None) -> list[int]:
        async with self.listener(after) as lines:
            return await numbers(lines, count)


async def numbers(lines: AsyncIterator[FeedEntry | None], count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            line = await anext(lines)
            found += [line.seq] if line else []
    return found


def told(tmp_path: Path, story: Story, **more: Any) -> None:
    async def run() -> None:
        database = Database(tmp_path / "catalogue.duckdb")
        migrate(database)
        feed = Feed(database, **more)
        await story(feed)
        assert feed.feed.listening == 0

    asyncio.run(run())


def test_a_listener_hears_what_is_found_from_now_on(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        await feed.write(2)
        async with feed.listener() as lines:
            hearing = asyncio.create_task(numbers(lines, 2))
            await asyncio.sleep(0)
            await feed.write(2)
            assert await hearing == [3, 4]

    told(tmp_path, story)


def test_who_comes_back_misses_nothing_however_far_behind(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        await feed.write(30)
        assert await feed.heard(30, after=0) == list(range(1, 31))
        assert await feed.heard(5, after=25) == [26, 27, 28, 29, 30]
        async with feed.listener(0) as lines:
            assert await numbers(lines, 30) == list(range(1, 31))
            await feed.write(12)
            assert await numbers(lines, 12) == list(range(31, 43))

    told(tmp_path, story, kept=4)


def test_more_than_a_page_at_once_comes_whole(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener() as lines:
            await feed.write(501)
            assert await numbers(lines, 501) == list(range(1, 502))

    told(tmp_path, story)


def test_a_number_from_another_catalogue_is_as_good_as_none(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        await feed.write(1)
        async with feed.listener(999) as lines:
            hearing = asyncio.create_task(numbers(lines, 1))
            await asyncio.sleep(0)
            await feed.write(1)
            assert await hearing == [2]

    told(tmp_path, story)


def test_many_listeners_cost_no_more_reads_than_one(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener():  # With the first one the reader begins: before anything is written.
            hearing = [asyncio.create_task(feed.heard(10, after=0)) for _ in range(50)]
            await eventually(lambda: feed.feed.listening == 51)
            for _ in range(10):
                await feed.write(1)
            assert await asyncio.gather(*hearing) == [list(range(1, 11))] * 50
        assert feed.reads <= 12

    told(tmp_path, story)


def test_where_nothing_changed_nothing_is_read_and_heartbeats_come(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener() as lines:
            async with asyncio.timeout(20):
                assert [await anext(lines) for _ in range(3)] == [None] * 3
            assert feed.reads == 0
            with feed.database.write() as connection:
                connection.execute("INSERT INTO settings VALUES ('a', 'b')")
            await eventually(lambda: feed.reads == 1)
            assert await anext(lines) is None

    told(tmp_path, story, heartbeat=0.02)


def test_more_listeners_than_allowed_are_refused_until_one_leaves(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener():
            async with feed.listener():
                with pytest.raises(TooManyListeners) as refused:
                    await feed.feed.enter()
                assert refused.value.fields["retry_after"]
            async with feed.listener():
                assert feed.feed.listening == 2

    told(tmp_path, story, listeners=2)


def test_a_catalogue_that_is_busy_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener() as lines:
            feed.failures = 2
            await feed.write(1)
            assert await numbers(lines, 1) == [1]

    told(tmp_path, story)
    assert "held by another" in caplog.text


def test_listeners_end_as_the_gate_shuts_and_may_come_again(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener() as lines:
            feed.closed.set()
            assert [line async for line in lines] == []
            await asyncio.sleep(0.05)
            feed.closed.clear()
            async with feed.listener(0) as again:
                await feed.write(1)
                assert await numbers(again, 1) == [1]

    told(tmp_path, story)


def test_a_stream_does_not_last_for_ever(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        async with feed.listener() as lines, asyncio.timeout(20):
            assert {line async for line in lines} <= {None}

    told(tmp_path, story, heartbeat=0.01, longest=0.05)


def test_who_cannot_enter_is_not_counted(tmp_path: Path) -> None:
    async def story(feed: Feed) -> None:
        feed.database.path.unlink()
        with pytest.raises(Exception, match="no catalogue"):
            await feed.feed.enter()

    told(tmp_path, story)
