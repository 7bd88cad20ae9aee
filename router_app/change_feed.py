"""The feed of changes for those who listen: one reader of the catalogue, however many they are."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Protocol

from modelscan.catalog import drift
from modelscan.catalog.database import Database
from modelscan.errors import TooManyListeners
from modelscan.types import FeedEntry

__all__ = ["ChangeFeed", "Pages"]

_EVERY_SECONDS = 1.0
_HEARTBEAT_SECONDS = 15.0
_PAGE = 500
_KEPT = 2000
_LISTENERS = 64
_LONGEST_SECONDS = 600.0
"""Of one stream: whose token was revoked does not come back."""
_log = logging.getLogger(__name__)


class Pages(Protocol):
    """How the feed is read; as `catalog.drift.feed`."""

    def __call__(self, database: Database, after: int, limit: int = ..., /) -> tuple[FeedEntry, ...]:
        """The lines behind number `after`, in order."""
        ...


class ChangeFeed:
    """A listener is no more than a number: that of the last line it was sent.

    While somebody listens the catalogue is looked at once in `every` seconds, and read where its file changed. The
    newest lines, `kept` at most, stay in memory for all; who is further behind has pages read, one at a time of all.
    """

    def __init__(
        self,
        database: Database,
        closed: asyncio.Event,
        *,
        every: float = _EVERY_SECONDS,
        heartbeat: float = _HEARTBEAT_SECONDS,
        kept: int = _KEPT,
        listeners: int = _LISTENERS,
        longest: float = _LONGEST_SECONDS,
        pages: Pages = drift.feed,
    ) -> None:
        self._database = database
        self._closed = closed
        self._every = every
        self._heartbeat = heartbeat
        self._most = listeners
        self._longest = longest
        self._pages = pages
        self._lines: deque[FeedEntry] = deque(maxlen=kept)
        self._last = 0
        self._stamp: object = None
        self._news = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self.listening = 0
        """How many there are."""

    async def enter(self) -> None:
        """One more listens, until `leave`. Raises TooManyListeners, and what the catalogue raises."""
        if self.listening >= self._most:
            raise TooManyListeners(
                f"{self.listening} clients listen to the changes already.",
                hint="Have them share one, or read GET /api/changes now and then.",
                retry_after=self._heartbeat,
            )
        self.listening += 1
        try:
            async with self._one_at_a_time:
                await self._begin()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """One less; where nobody is left, nothing is read any more."""
        self.listening -= 1
        if not self.listening and self._reader:
            self._reader.cancel()
            self._reader = None

    async def lines(self, after: int | None) -> AsyncIterator[FeedEntry | None]:
        """Each line behind number `after`, or None: from now on. None in between is a heartbeat.

        For one who has entered; ends as the gate shuts, and after `longest` seconds.
        """
        now = asyncio.get_running_loop().time
        until = now() + self._longest
        seen = self._last if after is None else min(after, self._last)
        while not self._closed.is_set() and now() < until:
            news = self._news
            if found := await self._behind(seen):
                for line in found:
                    yield line
                seen = found[-1].seq
            elif not await self._told(news):
                yield None

    async def _begin(self) -> None:
        if self._reader is None or self._reader.done():
            self._stamp = self._database.stamp()  # Before it is read: what is written in between is read again.
            self._lines.clear()
            self._last = await asyncio.to_thread(drift.last_line, self._database)
            self._reader = asyncio.create_task(self._read_on())

    async def _behind(self, seen: int) -> Sequence[FeedEntry]:
        if seen >= self._last:
            return ()
        if self._lines and self._lines[0].seq <= seen + 1:
            return [line for line in self._lines if line.seq > seen]
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._pages, self._database, seen, _PAGE)

    async def _told(self, news: asyncio.Event) -> bool:
        """Whether there are news, or the gate shuts, before a heartbeat is due."""
        waiting = [asyncio.create_task(event.wait()) for event in (news, self._closed)]
        try:
            done, _ = await asyncio.wait(waiting, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for task in waiting:
                task.cancel()

    async def _read_on(self) -> None:
        while not self._closed.is_set():
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - the catalogue is busy, say: it is looked at again
                _log.error("the feed of changes could not be read, and is tried again: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._closed.wait()

    async def _look(self) -> None:
        stamp = self._database.stamp()
        while stamp != self._stamp:
            async with self._one_at_a_time:
                found = await asyncio.to_thread(self._pages, self._database, self._last, _PAGE)
            if len(found) < _PAGE:
                self._stamp = stamp
            if found:
                self._lines.extend(found)
                self._last = found[-1].seq
                self._news, told = asyncio.Event(), self._news
                told.set()
