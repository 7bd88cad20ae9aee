"""Grants what routers share: asked of Redis while it is there, and this router's share of it while it is not."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from modelscan.limits import Clock
from modelscan.shared.counts import Counts, settled
from modelscan.shared.ending import cancelled
from modelscan.shared.ledger import Ledger
from modelscan.shared.wants import Grant, Refusal, State, Want

__all__ = ["Dead", "Rows", "Sharing"]

_BEAT_SECONDS = 1.0
_DEAD_SECONDS = 6.0
"""Without a sign of it, and a router is taken for dead. Should it live, it says again what it used."""
_CHECKS = 5
"""After a change of who is there, so often the rows are asked: those of others come into the catalogue by and by."""
_COMPARE_SECONDS = 5.0
_log = logging.getLogger(__name__)

Rows = Callable[[], Awaitable[Sequence[tuple[str, float, int]]]]
"""What the usage rows say at least of each window: its name, its end, the amount."""
Dead = Callable[[Mapping[str, Sequence[str]]], Awaitable[Mapping[str, Sequence[int]]]]
"""For each of a dead router's holds, by its windows, what its row says was used of each; without a row, none."""


async def _no_rows() -> Sequence[tuple[str, float, int]]:
    return ()


async def _none_answered(_: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[int]]:
    return {}


class _Asked(NamedTuple):
    operation: Callable[[], Sequence[Any]]
    """Made when it is sent: what was taken up to then is in it."""
    answered: Callable[[Any], None]
    """Hears None where Redis was lost, before or after it was done."""


class Sharing:
    """Of one router. Requests that come while others are on their way to Redis go there together, in one batch.

    No blocks are taken ahead and granted here: near a limit's end what one router holds unused would have to be called
    back before another refuses, and a killed router would take its blocks with it. One question takes 0.33 ms (median
    of 3,000, one after the other on loopback with two limits each), and only a request that has a limit asks it.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        least_routers: int = 1,
        clock: Clock = time.time,
        rows: Rows = _no_rows,
        dead: Dead = _none_answered,
        on_state: Callable[[bool, int], None] = lambda *_: None,
        on_news: Callable[[str, State], None] = lambda *_: None,
    ) -> None:
        """`on_state` hears whether Redis is there, and of how many routers this is one; `on_news` how windows stand."""
        self._ledger = ledger
        self._least = least_routers
        self._clock = clock
        self._rows, self._dead = rows, dead
        self._on_state = on_state
        self._on_news = on_news
        self._counts = Counts()
        self._counts.routers = least_routers
        self._waiting: list[_Asked] = []
        self._pump: asyncio.Task[None] | None = None
        self._chores: asyncio.Task[None] | None = None
        self._since = "0"
        self._checks = 0
        self.lost = True
        """Until it was reached for the first time."""

    @property
    def routers(self) -> int:
        """How many there are, as last seen."""
        return self._counts.routers

    async def reserve(self, hold: str, wants: Sequence[Want]) -> Grant | Refusal:
        """Take all of these or none; `hold` is a name of its own."""
        if not self.lost:
            done: asyncio.Future[Grant | Refusal | None] = asyncio.get_running_loop().create_future()
            self._ask(
                lambda: ["reserve", hold, [want.spelt() for want in wants]],
                lambda answer: self._reserved(done, hold, wants, answer),
            )
            if (found := await done) is not None:
                return found
        fitting = self._counts.by_share(wants)
        if isinstance(fitting, Refusal):
            return fitting
        self._counts.take(hold, fitting)
        return Grant(hold, fitting, (), self._settle)

    def compare_soon(self) -> None:
        """There may be a limit that is new, and counts what was used before it."""
        self._checks = _CHECKS

    async def open(self) -> bool:
        """Reach Redis, if it is there; whether it is."""
        with suppress(ConnectionError):
            await self._ledger.apply([self._join()])
            if self._counts.losses:
                await self._compare()
            self._found()
            # What was taken by share while that was under way is in no count there yet.
            await self._answer(self._join)
        if self.lost:
            self._on_state(False, self.routers)
        return not self.lost

    async def run(self) -> None:
        """Keep in touch with Redis and the others, until cancelled."""
        while True:
            await (self.open() if self.lost else self.beat())
            await asyncio.sleep(_BEAT_SECONDS)

    async def beat(self) -> None:
        """Give a sign, hear of the others, settle what dead ones held."""
        since = self._since
        told = await self._answer(lambda: ["beat", since])
        if not told:
            return
        self._since, seen, news = told
        for window, ends_at, state in news or ():
            self._learn(window, ends_at, _state(state))
        self._counts.forget(self._clock())
        dead = [router for router, silent in seen if silent > _DEAD_SECONDS]
        self._counts.routers = max(self._least, len(seen) - len(dead))
        self._on_state(True, self.routers)
        if (dead or self._checks) and self._chores is None:
            self._chores = asyncio.create_task(self._put_right(dead))

    async def leave(self) -> None:
        """Say that this router ends; what it used stays counted."""
        if self._chores:
            await cancelled([self._chores])
        if not self.lost:
            await self._answer(lambda: ["leave"])
        if self._pump:
            await self._pump
        await self._ledger.close()

    def _join(self) -> list[Any]:
        return ["join", *self._counts.told()]

    def _settle(self, grant: Grant, used: Sequence[int]) -> None:
        parts = self._counts.settle(grant.hold, used)
        if not self.lost:
            self._ask(lambda: ["settle", grant.hold, parts], lambda _: None)

    def _reserved(
        self, done: "asyncio.Future[Grant | Refusal | None]", hold: str, wants: Sequence[Want], answer: Any
    ) -> None:
        if answer is None:
            found: Grant | Refusal | None = None
        elif answer[0]:
            want, state = wants[answer[0] - 1], _state(answer[1])
            self._learn(want.window, want.ends_at, state)
            found = Refusal(want, state, by_share=False)
        else:
            states = tuple(map(_state, answer[1:]))
            self._counts.take(hold, wants)
            for want, state in zip(wants, states, strict=True):
                self._learn(want.window, want.ends_at, state)
            found = Grant(hold, wants, states, self._settle)
        if not done.done():
            done.set_result(found)
        elif isinstance(found, Grant):  # Its request was cancelled meanwhile.
            found.settle([0] * len(wants))

    def _learn(self, window: str, ends_at: float, state: State) -> None:
        self._counts.learn(window, ends_at, state)
        self._on_news(window, state)

    async def _answer(self, operation: Callable[[], Sequence[Any]]) -> Any:
        """What Redis says; None where it is lost."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._ask(operation, lambda answer: None if done.done() else done.set_result(answer))
        return await done

    def _ask(self, operation: Callable[[], Sequence[Any]], answered: Callable[[Any], None]) -> None:
        self._waiting.append(_Asked(operation, answered))
        if self._pump is None:
            self._pump = asyncio.create_task(self._send())

    async def _send(self) -> None:
        """All that waits, in batches, until nothing does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                for asked, answer in zip(batch, await self._applied(batch), strict=True):
                    asked.answered(answer)
        finally:
            self._pump = None

    async def _applied(self, batch: Sequence[_Asked]) -> list[Any]:
        if not self.lost:
            try:
                if (answers := await self._ledger.apply([asked.operation() for asked in batch])) is not None:
                    return answers
                # Until it has heard all again, from each router and from the rows, it would grant too much.
                raise ConnectionError("it was emptied, or took this router for dead")
            except ConnectionError as error:
                self._lose(str(error))
        return [None] * len(batch)

    def _lose(self, why: str) -> None:
        self.lost = True
        self._counts.losses += 1
        _log.error("Redis is lost (%s): this router goes on with 1/%d of what is left of limits", why, self.routers)
        self._on_state(False, self.routers)

    def _found(self) -> None:
        if self._counts.losses:
            _log.warning("Redis is back: limits are shared again")
        self.lost, self._since, self._checks = False, "0", _CHECKS
        self._on_state(True, self.routers)

    async def _put_right(self, dead: Sequence[str]) -> None:
        """Beside the beat: it waits for the catalogue, and a router without a sign is taken for dead."""
        try:
            for router in dead:
                await self._bury(router)
            if self._checks:
                self._checks -= 1
                await self._raise()
        except Exception as error:  # noqa: BLE001 - the catalogue's, mostly: the next beat tries it again
            _log.error("what routers share could not be compared with the usage rows: %s", error)
            self._checks = _CHECKS
        finally:
            self._chores = None

    async def _compare(self) -> None:
        """Before Redis grants again: it may have come back empty."""
        try:
            async with asyncio.timeout(_COMPARE_SECONDS):
                await self._ledger.apply([["raise", await self._windows()]])
        except TimeoutError:
            _log.warning("the usage rows take long, and are compared later")
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the catalogue's, mostly: it is tried again beside the beat
            _log.error("the usage rows could not be read, and are compared later: %s", error)

    async def _raise(self) -> None:
        """What is used is at least what the rows say: of routers of before, or where Redis was emptied."""
        if windows := await self._windows():
            await self._answer(lambda: ["raise", windows])

    async def _windows(self) -> list[list[Any]]:
        return [[window, ends_at, str(least)] for window, ends_at, least in await self._rows()]

    async def _bury(self, router: str) -> None:
        """Settle what a dead router held, by the rows that it left; one of the others does."""
        claimed = await self._answer(lambda: ["claim", router])
        if not claimed:
            return
        _log.warning("the router %s gives no sign any more: what it held is settled by its rows", router)
        holds = {hold: [Want.read(one) for one in wants] for hold, wants in claimed[0] or ()}
        found = await self._dead({hold: [want.window for want in wants] for hold, wants in holds.items()})
        parts = [[hold, settled(wants, found.get(hold, [0] * len(wants)))] for hold, wants in holds.items()]
        await self._answer(lambda: ["bury", router, parts])
        self._checks = _CHECKS


def _state(told: Sequence[str]) -> State:
    return State(*map(int, told))
