import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelscan.shared import sharing as module
from modelscan.shared.sharing import Sharing
from modelscan.shared.wants import Refusal
from tests.redis_server import RedisServer
from tests.shared.sharers import ENDS_AT, CutLedger, a_want, granted, sharer

_prefixes = itertools.count()


@asynccontextmanager
async def fleet(redis: RedisServer, size: int, **more: Any) -> AsyncIterator[tuple[list[Sharing], list[CutLedger]]]:
    """So many routers that share what nobody else does, all in touch."""
    prefix = f"sharing{next(_prefixes)}"
    made = [sharer(redis, prefix, **more) for _ in range(size)]
    sharings = [one for one, _ in made]
    for one in sharings:
        assert await one.open()
    for one in sharings:
        await one.beat()
    try:
        yield sharings, [ledger for _, ledger in made]
    finally:
        for one in sharings:
            await one.leave()


@pytest.mark.parametrize(("routers", "limit", "asked"), [(1, 7, 30), (2, 100, 301), (3, 50, 200), (5, 1, 40)])
def test_of_a_limit_exactly_so_much_is_granted_by_all_together(
    redis: RedisServer, routers: int, limit: int, asked: int
) -> None:
    async def story() -> None:
        async with fleet(redis, routers) as (sharings, _):
            ends = itertools.cycle(sharings)
            wants = [a_want(limit, counted=True), a_want(10**15, 123, "token/x/daily_usd@1")]
            found = await asyncio.gather(*(next(ends).reserve(f"r{n}", wants) for n in range(asked)))
            assert sum(not isinstance(one, Refusal) for one in found) == limit

    asyncio.run(story())


def test_requests_at_once_go_to_redis_together(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 1) as ((sharing,), (ledger,)):
            ledger.batches.clear()
            await asyncio.gather(*(granted(sharing, f"r{n}", a_want(1000)) for n in range(200)))
            assert ledger.batches == [200]

    asyncio.run(story())


def test_of_several_limits_all_are_reserved_or_none(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 2) as ((one, other), _):
            narrow, wide = a_want(1), a_want(10, 4, "token/x/tpm@1")
            await granted(one, "first", narrow, wide)
            refused = await other.reserve("second", [wide, narrow])
            assert isinstance(refused, Refusal)
            assert (refused.want, refused.state.held, refused.by_share) == (narrow, 1, False)
            await granted(other, "third", wide._replace(amount=6))

    asyncio.run(story())


def test_what_is_settled_counts_and_the_rest_is_given_back_once(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 2) as ((one, other), _):
            grant = await granted(one, "first", a_want(100, 80))
            assert isinstance(await other.reserve("second", [a_want(100, 30)]), Refusal)
            grant.settle([20])
            grant.settle([99])
            await one.beat()  # What was said before has arrived by then.
            state = (await granted(other, "third", a_want(100, 80))).states[0]
            assert (state.used, state.held, state.mine_used, state.mine_held) == (20, 80, 0, 80)

    asyncio.run(story())


def test_a_request_that_is_cancelled_while_it_is_asked_for_holds_nothing(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 1) as ((sharing,), _):
            asking = asyncio.create_task(sharing.reserve("first", [a_want(1, counted=True)]))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await sharing.beat()
            await granted(sharing, "second", a_want(1, counted=True))

    asyncio.run(story())


def test_what_the_rows_said_when_a_router_began_is_used_already(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 2) as ((one, other), _):
            await granted(one, "first", a_want(10, 2, least=7))
            assert isinstance(await other.reserve("second", [a_want(10, 2)]), Refusal)
            await granted(other, "third", a_want(10, 1))

    asyncio.run(story())


def test_others_are_heard_of_at_each_beat(redis: RedisServer) -> None:
    heard: dict[str, int] = {}

    async def story() -> None:
        async with fleet(redis, 2, on_news=lambda window, state: heard.update({window: state.used})) as (sharings, _):
            (await granted(sharings[0], "first", a_want(10, 5))).settle([3])
            await sharings[0].beat()
            heard.clear()
            await sharings[1].beat()
            assert heard == {"key/acme/1/daily@1": 3}
            assert [one.routers for one in sharings] == [2, 2]

    asyncio.run(story())


@pytest.mark.parametrize("cut", ["before", "after"])
def test_without_redis_each_grants_its_share_of_what_was_left_and_later_all_is_added_up(
    redis: RedisServer, cut: str
) -> None:
    async def story() -> None:
        async with fleet(redis, 3) as (sharings, ledgers):
            (await granted(sharings[0], "before", a_want(100, 10))).settle([10])
            for one in (*sharings, *sharings):
                await one.beat()
            for ledger in ledgers:
                ledger.cut = cut
            found = [await one.reserve(f"r{n}", [a_want(100)]) for n in range(50) for one in sharings]
            assert sum(not isinstance(one, Refusal) for one in found) == 90
            assert all(one.by_share for one in found if isinstance(one, Refusal))
            for one, ledger in zip(sharings, ledgers, strict=True):
                assert one.lost
                ledger.cut = ""
                assert await one.open()
            refused = await sharings[1].reserve("after", [a_want(100)])
            assert isinstance(refused, Refusal)
            assert (refused.state.used, refused.state.held, refused.by_share) == (10, 90, False)

    asyncio.run(story())


def test_what_was_settled_without_redis_is_known_to_it_later(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 2) as ((one, other), ledgers):
            grant = await granted(one, "long", a_want(100, 60))
            ledgers[0].cut = "before"
            short = await granted(one, "short", a_want(100, 5))
            grant.settle([20])
            short.settle([2])
            ledgers[0].cut = ""
            await one.open()
            state = (await granted(other, "other", a_want(100, 78))).states[0]
            assert (state.used, state.held) == (22, 78)

    asyncio.run(story())


def test_a_request_larger_than_the_share_of_a_minute_gets_an_unused_share_whole(redis: RedisServer) -> None:
    async def story() -> None:
        async with fleet(redis, 2) as ((one, _), ledgers):
            ledgers[0].cut = "before"
            grant = await granted(one, "large", a_want(100, 90, "token/x/tpm@1", whole=True))
            assert [want.amount for want in grant.wants] == [50]
            assert isinstance(await one.reserve("next", [a_want(100, 90, "token/x/tpm@1", whole=True)]), Refusal)

    asyncio.run(story())


def test_before_the_others_were_seen_the_settings_say_how_many_there_are(redis: RedisServer) -> None:
    told: list[tuple[bool, int]] = []

    async def story() -> None:
        sharing, ledger = sharer(redis, "alone", least_routers=4, on_state=lambda *state: told.append(state))
        ledger.cut = "before"
        assert not await sharing.open()
        found = [await sharing.reserve(f"r{n}", [a_want(10)]) for n in range(5)]
        assert [isinstance(one, Refusal) for one in found] == [False, False, True, True, True]
        await sharing.leave()

    asyncio.run(story())
    assert told == [(False, 4)]


def test_an_emptied_redis_is_told_again_and_the_rows_tell_what_nobody_remembers(redis: RedisServer) -> None:
    rows: list[tuple[str, float, int]] = []

    async def known() -> Sequence[tuple[str, float, int]]:
        return rows

    async def story() -> None:
        async with fleet(redis, 2, rows=known) as ((one, other), _):
            (await granted(one, "first", a_want(100, 10, least=30))).settle([10])
            (await granted(other, "second", a_want(100, 20))).settle([20])
            running = await granted(other, "third", a_want(100, 5))
            await other.beat()
            await emptied(redis)
            rows.append(("key/acme/1/daily@1", ENDS_AT, 60))
            for sharing in (one, other, one, other):
                await (sharing.open() if sharing.lost else sharing.beat())
                await put_right(sharing)
            for sharing in (one, other):
                await (sharing.open() if sharing.lost else sharing.beat())
            running.settle([5])
            await other.beat()
            assert isinstance(await one.reserve("most", [a_want(100, 36)]), Refusal)
            state = (await granted(one, "rest", a_want(100, 35))).states[0]
            assert (state.used, state.held) == (65, 35)

    asyncio.run(story())


async def emptied(redis: RedisServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    writer.write(b"FLUSHALL\r\n")
    await reader.readline()
    writer.close()
    await writer.wait_closed()


async def put_right(sharing: Sharing) -> None:
    """Wait for what a beat begins beside itself."""
    if sharing._chores:
        await sharing._chores


def test_what_a_dead_router_held_is_settled_by_its_rows_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_DEAD_SECONDS", 0.0)
    asked: list[Mapping[str, Sequence[str]]] = []

    async def dead(holds: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[int]]:
        asked.append(holds)
        return {"answered/token": [7, 1]}

    async def story() -> None:
        one, _ = sharer(redis, "dead", "one", dead=dead)
        other, ledger = sharer(redis, "dead", "other")
        await one.open()
        await other.open()
        tokens, requests = a_want(100, 40, "token/x/tpm@1"), a_want(10, counted=True)
        await granted(other, "answered/token", tokens, requests)
        await granted(other, "lost/token", tokens, requests)
        ledger.cut = "before"
        await one.beat()
        await put_right(one)
        assert asked[0]["answered/token"] == ["token/x/tpm@1", "key/acme/1/daily@1"]
        tokens_left, requests_left = (await granted(one, "next", tokens, requests)).states
        assert (tokens_left.used, tokens_left.held) == (7, 40)
        assert requests_left.used == 2
        await one.leave()
        await other.leave()

    asyncio.run(story())


def test_a_router_that_was_taken_for_dead_says_again_what_it_used(redis: RedisServer) -> None:
    async def story() -> None:
        one, one_ledger = sharer(redis, "silent", "one")
        other, _ = sharer(redis, "silent", "other")
        await one.open()
        await other.open()
        grant = await granted(one, "long", a_want(100, 50))
        assert await one_ledger.apply([["claim", "one"]]) == [[[["long", [a_want(100, 50).spelt()]]]]]
        await one_ledger.apply([["bury", "one", []]])
        assert (await granted(other, "other", a_want(100, 1))).states[0].held == 51
        grant.settle([30])
        await one.beat()
        assert one.lost
        await one.open()
        state = (await granted(other, "another", a_want(100, 1))).states[0]
        assert (state.used, state.held) == (30, 2)
        await one.leave()
        await other.leave()

    asyncio.run(story())


def test_what_cannot_be_compared_with_the_rows_is_tried_again(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    async def known() -> Sequence[tuple[str, float, int]]:
        asked.append(1)
        raise OSError("the catalogue is away")

    async def story() -> None:
        async with fleet(redis, 1, rows=known) as ((sharing,), _):
            for _ in range(8):
                await sharing.beat()
                await put_right(sharing)

    asyncio.run(story())
    assert len(asked) == 9
    assert "the catalogue is away" in caplog.text


def test_rows_that_cannot_be_read_or_take_long_keep_nobody_from_coming_back(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_COMPARE_SECONDS", 0.01)
    slow = [False]

    async def known() -> Sequence[tuple[str, float, int]]:
        if slow[0]:
            await asyncio.sleep(60)
        raise OSError("the catalogue is away")

    async def story() -> None:
        async with fleet(redis, 1, rows=known) as ((sharing,), (ledger,)):
            for slow[0] in (False, True):
                ledger.cut = "before"
                await granted(sharing, f"r{slow[0]}", a_want(10))
                ledger.cut = ""
                assert await sharing.open()

    asyncio.run(story())
    assert "could not be read" in caplog.text
    assert "take long" in caplog.text


def test_it_keeps_in_touch_by_itself_and_comes_back(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.01)
    told: list[bool] = []

    async def until(state: bool, since: int) -> None:
        async with asyncio.timeout(20):
            while state not in told[since:]:  # noqa: ASYNC110 - what is waited for is heard, not set
                await asyncio.sleep(0.005)

    async def story() -> None:
        sharing, _ = sharer(own_redis, "touch", on_state=lambda there, _: told.append(there))
        running = asyncio.create_task(sharing.run())
        await until(True, 0)
        own_redis.kill()
        since = len(told)
        await until(False, since)
        own_redis.start()
        since = len(told)
        await until(True, since)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sharing.leave()

    asyncio.run(story())


def test_a_password_in_the_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    class Away(RedisServer):
        @property
        def url(self) -> str:
            return "redis://:hunter2hunter2@127.0.0.1:1/0"

    async def story() -> None:
        sharing, _ = sharer(Away.__new__(Away), "away")
        assert not await sharing.open()
        await sharing.leave()

    asyncio.run(story())
    assert "hunter2" not in caplog.text
    assert "Redis did not answer" in caplog.text
