"""Whatever three routers, their requests and their Redis do in any order: nothing is granted twice or forgotten."""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from modelscan.shared.sharing import Sharing
from modelscan.shared.wants import Grant, Refusal, Want
from tests.redis_server import RedisServer
from tests.shared.sharers import CutLedger, a_want, sharer

Result = TypeVar("Result")
REQUESTS, TOKENS = "key/acme/1/daily@1", "token/x/daily_tokens@1"
LIMITS = {REQUESTS: 12, TOKENS: 300}
ROUTERS = 3
_machines = itertools.count()


class Running(NamedTuple):
    grant: Grant
    most: int


class Routers(RuleBasedStateMachine):
    """What is granted is kept here too, and compared with what Redis says."""

    redis: RedisServer
    running: Bundle[Running | None] = Bundle("running")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        prefix = f"order{next(_machines)}"
        made = [sharer(self.redis, prefix) for _ in range(ROUTERS)]
        self.routers: list[Sharing] = [one for one, _ in made]
        self.ledgers: list[CutLedger] = [ledger for _, ledger in made]
        self.ids = itertools.count()
        self.used = dict.fromkeys(LIMITS, 0)
        self.held = dict.fromkeys(LIMITS, 0)
        self.cut = False
        for one in self.routers:
            assert self.done(one.open())
        self.look_round()

    def done(self, work: Awaitable[Result]) -> Result:
        return self.loop.run_until_complete(_finished(work))

    def teardown(self) -> None:
        for one in self.routers:
            self.done(one.leave())
        self.loop.close()

    @rule(target=running, router=st.integers(0, ROUTERS - 1), most=st.integers(1, 150))
    def reserve(self, router: int, most: int) -> Running | None:
        wants: list[Want] = [
            a_want(LIMITS[REQUESTS], 1, REQUESTS, counted=True),
            a_want(LIMITS[TOKENS], most, TOKENS),
        ]
        found = self.done(self.routers[router].reserve(f"r{next(self.ids)}", wants))
        room = self.taken(REQUESTS) + 1 <= LIMITS[REQUESTS] and self.taken(TOKENS) + most <= LIMITS[TOKENS]
        if isinstance(found, Refusal):
            assert self.cut or not room
            return None
        assert room
        self.used[REQUESTS] += 1
        self.held[TOKENS] += most
        return Running(found, most)

    @rule(request=consumes(running), part=st.floats(0, 1), counts=st.booleans())
    def end(self, request: Running | None, part: float, counts: bool) -> None:
        """It used a part of what it held; or nothing, and it is as if it had not been."""
        if request is None:
            return
        used = round(request.most * part) if counts else 0
        self.done(_settled(request.grant, [int(counts), used]))
        self.used[REQUESTS] -= not counts
        self.held[TOKENS] -= request.most
        self.used[TOKENS] += used

    @rule(after=st.booleans())
    def lose(self, after: bool) -> None:
        """Redis is away for all, who had just heard of each other; what was asked last may have been done or not."""
        self.look_round()
        for ledger in self.ledgers:
            ledger.cut = "after" if after else "before"
        self.cut = True
        for one in self.routers:
            self.done(one.beat())

    @rule(emptied=st.booleans())
    def come_back(self, emptied: bool) -> None:
        """It is there again, with what it knew or without."""
        for ledger in self.ledgers:
            ledger.cut = ""
        if emptied:
            self.done(_emptied(self.redis))
        for one in self.routers:
            self.done(one.open() if one.lost else one.beat())
        self.cut = False
        self.look_round()

    def look_round(self) -> None:
        for one in (*self.routers, *self.routers):
            self.done(one.open() if one.lost and not self.cut else one.beat())

    def taken(self, window: str) -> int:
        return self.used[window] + self.held[window]

    @invariant()
    def no_limit_is_overrun(self) -> None:
        for window, limit in LIMITS.items():
            assert self.taken(window) <= limit

    @invariant()
    def redis_agrees(self) -> None:
        if self.cut:
            return
        for window in LIMITS:
            told = self.done(self.routers[0].reserve("probe", [a_want(0, 1, window)]))
            assert isinstance(told, Refusal)
            assert (told.state.used, told.state.held) == (self.used[window], self.held[window])


async def _finished(work: Awaitable[Result]) -> Result:
    """The result, once what it began beside itself has arrived at Redis, too."""
    result = await work
    for _ in range(3):
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others)
    return result


async def _settled(grant: Grant, used: list[int]) -> None:
    grant.settle(used)


async def _emptied(redis: RedisServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    writer.write(b"FLUSHALL\r\n")
    await reader.readline()
    writer.close()
    await writer.wait_closed()


def test_nothing_is_granted_twice_or_forgotten(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Routers, "redis", redis, raising=False)
    run_state_machine_as_test(Routers, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))
