import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from modelscan.catalog.generations import FileGenerations
from modelscan.reference import create_reference
from modelscan.settings import RedisSettings, Settings
from modelscan.shared.sharing import Sharing
from modelscan.shared.wants import Grant, Refusal, State, Want
from modelscan.tokens.account import Account
from modelscan.tokens.book import TokenBook
from modelscan.types import Auth
from router_app.following import follow
from router_app.joining import heard, joined
from router_app.shared_rows import SharedRows
from router_app.sharing import SharedLimits, counted, exact
from tests.keys.keyring import Clock, chosen, key_id, pool_of
from tests.redis_server import RedisServer, redis_server
from tests.router_app.routers import KEY, Router, a_spec, eventually, routed
from tests.tokens.accounts import a_token

OTHER_KEY = "sk-other-0123456789ab"


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


class Pair(NamedTuple):
    """Two routers of one data directory, and their ends of what they share."""

    one: Router
    other: Router
    ends: tuple[Sharing, Sharing]

    async def reload(self) -> None:
        """Have both know what was changed at one of them."""
        for router in (self.one, self.other):
            await router.service.open()

    async def look_round(self) -> None:
        for end in self.ends:
            await end.beat()

    async def issue(self, **terms: Any) -> str:
        """A token with these terms, known to both."""
        answer = await self.one.admin("POST", "/tokens", json={"name": "app", "terms": terms})
        await self.reload()
        return str(answer.json()["token"])

    async def limit_keys(self, **limits: int) -> None:
        keys = (await self.one.admin("GET", "/keys?provider=acme")).json()
        for key in keys:
            limit = {"provider": "acme", "key": key["id"], **limits}
            (await self.one.admin("POST", "/keys/limit", json=limit)).raise_for_status()
        await self.reload()

    async def statuses(self, asked: int, token: str = "") -> Counter[int]:
        """Of so many requests at once, in turns at both."""
        routers = (self.one, self.other)
        work = (routers[n % 2].chat("acme/echo", token=token) for n in range(asked))
        return Counter(answer.status_code for answer in await asyncio.gather(*work))


def a_redis(redis: RedisServer) -> RedisSettings:
    return RedisSettings(url=SecretStr(redis.url), timeout_seconds=5.0)


@asynccontextmanager
async def pair(settings: Settings, redis: RedisServer, *keys: str) -> AsyncIterator[Pair]:
    secrets = {"acme": tuple(SecretStr(key) for key in keys or (KEY,))}
    settings = settings.model_copy(update={"api_keys": secrets})
    shared = a_redis(redis)
    provider = create_reference(models=("echo",))
    async with (
        routed(
            settings,
            peers={"acme": provider},
            specs=lambda origins: [a_spec(f"{origins['acme']}/v1", auth=Auth())],
        ) as one,
        routed(settings) as other,
        joined(one.service, shared) as first,
        joined(other.service, shared) as second,
    ):
        found = Pair(one, other, (first, second))
        await found.look_round()
        yield found


def test_of_a_keys_requests_a_day_both_grant_exactly_as_many_as_there_are(
    settings: Settings, redis: RedisServer
) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            await routers.limit_keys(daily=10)
            assert await routers.statuses(24) == {200: 10, 429: 14}
            refused = await routers.other.chat("acme/echo")
            assert "is asked as often as you allow" in refused.text
            assert int(refused.headers["retry-after"]) > 1
            await routers.look_round()
            for router in (routers.one, routers.other):
                (key,) = (await router.admin("GET", "/keys/explain?provider=acme")).json()
                assert (key["state"], key["limits"][2]["used"], key["limits"][2]["left"]) == ("full", 10, 0)

    asyncio.run(story())


def test_where_one_key_is_used_up_elsewhere_the_next_one_is_taken(settings: Settings, redis: RedisServer) -> None:
    async def story() -> None:
        async with pair(settings, redis, KEY, OTHER_KEY) as routers:
            await routers.limit_keys(daily=3)
            assert await routers.statuses(9) == {200: 6, 429: 3}

    asyncio.run(story())


def test_a_key_without_limits_is_nobodys_business(settings: Settings, redis: RedisServer) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            redis.kill()
            assert await routers.statuses(4) == {200: 4}
            assert [end.lost for end in routers.ends] == [False, False]

    asyncio.run(story())


def test_a_tokens_budget_is_spent_once_and_both_know_how_much_of_it(settings: Settings, redis: RedisServer) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            token = await routers.issue(monthly_tokens=10_000)
            found = await routers.statuses(30, token)
            assert found[200] > 0
            assert found[200] + found[429] == 30  # Each holds 1,024 for its answer, most of which comes back.
            await routers.look_round()
            await routers.look_round()
            rows = routers.one.usage()
            spent = sum((row["prompt_tokens"] or 0) + (row["completion_tokens"] or 0) for row in rows)
            for router in (routers.one, routers.other):
                (limit,) = (await router.admin("GET", "/tokens/app")).json()["limits"]
                assert (limit["used"], limit["held"]) == (spent, 0)

    asyncio.run(story())


def test_what_one_router_holds_of_a_budget_the_other_refuses_until_it_is_given_back(
    settings: Settings, redis: RedisServer
) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            token = await routers.issue(daily_tokens=2_000, concurrency=5)
            account = routers.one.service.serving.door.book.find(token.encode())
            assert account
            shared = routers.one.service.serving.shared
            assert shared
            hold = account.reserve(1_500, Decimal(0), routers.one.service.serving.door.book.clock())
            await shared.admit("req_1", account, hold)
            busy = await routers.other.chat("acme/echo", token=token, max_tokens=1_000)
            assert busy.status_code == 429
            assert "0 tokens used, 1,500 tokens held for requests that run." in busy.text
            hold.settle(1_400)
            await routers.look_round()
            spent = await routers.other.chat("acme/echo", token=token, max_tokens=1_000)
            assert spent.status_code == 402
            assert "1,400 tokens used, and this request may use" in spent.text
            seen = (await routers.other.admin("GET", "/tokens/app")).json()["limits"]
            assert {one["limit"]: one["used"] for one in seen}["daily_tokens"] == 1_400
            assert (await routers.other.chat("acme/echo", token=token, max_tokens=10)).status_code == 200

    asyncio.run(story())


def test_requests_at_once_are_counted_over_both(settings: Settings, redis: RedisServer) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            token = await routers.issue(concurrency=1)
            account = routers.one.service.serving.door.book.find(token.encode())
            shared = routers.one.service.serving.shared
            assert account
            assert shared
            hold = account.reserve(0, Decimal(0), routers.one.service.serving.door.book.clock())
            await shared.admit("req_1", account, hold)
            busy = await routers.other.chat("acme/echo", token=token)
            assert (busy.status_code, "may have 1 requests running at once" in busy.text) == (429, True)
            hold.settle(0)
            await routers.look_round()
            assert (await routers.other.chat("acme/echo", token=token)).status_code == 200

    asyncio.run(story())


def test_what_is_changed_at_one_router_counts_at_all(settings: Settings, redis: RedisServer) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            by_file = FileGenerations(routers.one.service.database, look_seconds=0.01)
            heard_there = heard(FileGenerations(routers.other.service.database, look_seconds=0.01), a_redis(redis))
            routers.one.service.on_change = by_file.announce
            following = asyncio.create_task(follow(routers.other.service, heard_there))
            await asyncio.sleep(0)
            issued = (await routers.one.admin("POST", "/tokens", json={"name": "late", "terms": {}})).json()
            book = routers.other.service.serving.door.book
            await eventually(lambda: book.find(issued["token"].encode()) is not None)
            (key,) = (await routers.one.admin("GET", "/keys?provider=acme")).json()
            limit = {"provider": "acme", "key": key["id"], "daily": 5}
            (await routers.one.admin("POST", "/keys/limit", json=limit)).raise_for_status()
            pool = routers.other.service.serving.pool
            await eventually(lambda: pool.windows("acme", key["id"])["daily"].limit == 5)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    asyncio.run(story())


def test_without_redis_each_goes_on_with_its_share_and_says_so(settings: Settings, redis: RedisServer) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            token = await routers.issue(rpm=50, daily_tokens=6_000)
            redis.kill()
            explained = {"x-modelscan-explain": "1", "authorization": f"Bearer {token}"}
            body = {"model": "acme/echo", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 900}
            answer = await routers.one.http.post("/v1/chat/completions", json=body, headers=explained)
            assert answer.status_code == 200
            assert answer.headers["x-modelscan-path"].startswith("limits by share 1/2; acme")
            body["max_tokens"] = 4_000
            refused = await routers.one.http.post("/v1/chat/completions", json=body, headers=explained)
            assert "Redis is lost: this router grants 1/2 of what was left." in refused.text
            part = routers.one.service.health()["parts"]["redis"]
            assert (part["state"], part["detail"]) == ("down", "This router grants 1/2 of what was left of each limit.")
            redis.start()
            await eventually(lambda: routers.one.service.health()["parts"]["redis"]["state"] == "up")
            assert (
                await routers.one.http.post("/v1/chat/completions", json=body, headers=explained)
            ).status_code == 200

    asyncio.run(story())


def test_the_rows_say_what_was_used_at_least_and_what_a_dead_routers_requests_used(
    settings: Settings, redis: RedisServer
) -> None:
    async def story() -> None:
        async with pair(settings, redis) as routers:
            await routers.limit_keys(daily=100)
            token = await routers.issue(daily_tokens=50_000, daily_usd="5", allow_unknown_price=True)
            answer = await routers.one.chat("acme/echo", token=token, max_tokens=5)
            assert answer.status_code == 200
            await routers.one.service.flush()
            rows = SharedRows(routers.other.service)
            known = {name.partition("@")[0]: amount for name, _, amount in await rows.known()}
            (key,) = (await routers.one.admin("GET", "/keys?provider=acme")).json()
            assert known.get(f"key/acme/{key['id']}/daily", 0) == 1
            (token_id,) = (one.token.id for one in routers.one.service.serving.door.book.accounts())
            assert known[f"token/{token_id}/daily_tokens"] > 0
            request = answer.headers["x-request-id"]
            windows = [f"token/t/{term}@1" for term in ("rpm", "daily_tokens", "daily_usd", "concurrency")]
            holds = {
                f"{request}/token": windows,
                f"{request}/another": ["key/acme/another/daily@1"],
                "req_none/token": [],
            }
            settled = await rows.settled(holds)
            assert settled.keys() == {f"{request}/token", f"{request}/another"}
            assert settled[f"{request}/token"][0] == 1
            assert settled[f"{request}/another"] == [0]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("term", "amount"), [("rpm", 1), ("daily", 1), ("tpm", 7), ("daily_usd", 250_000_000_001), ("concurrency", 0)]
)
def test_what_a_request_counts_for_each_limit(term: str, amount: int) -> None:
    assert counted(term, 1, 7, Decimal("0.250000000001")) == amount


def test_dollars_are_whole_pico_dollars_rounded_up() -> None:
    assert exact(Decimal("0.0000000000001")) == 1
    assert exact(Decimal("9007.25")) == 9_007_250_000_000_000


def test_without_a_url_nothing_of_it_is_imported() -> None:
    found = "[name for name in sys.modules if name.split('.')[0] == 'redis' or name.startswith('modelscan.shared')]"
    code = f"import sys, router_app.process; print({found})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Stuck(Sharing):
    """Never answers; whoever waits is told by being cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def reserve(self, hold: str, wants: Sequence[Want]) -> Grant | Refusal:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("what", ["token", "key"])
def test_a_caller_who_leaves_while_others_are_asked_holds_nothing(what: str) -> None:
    async def story() -> None:
        pool, book, stuck = pool_of(Clock(), "sk-only", daily=2), TokenBook(Clock()), Stuck()
        limits = SharedLimits(stuck, book, pool)
        account = Account(a_token(rpm=2, daily_tokens=100), book.clock())
        hold = account.reserve(60, Decimal(0), book.clock())
        work = limits.admit("req_1", account, hold) if what == "token" else limits.key("req_1", "acme", 1, ())
        asking = asyncio.ensure_future(work)
        await stuck.asked.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if what == "token":
            assert [(use.used, use.held) for use in account.uses(book.clock())] == [(0, 0), (0, 0)]
            assert account.running == 0
        else:
            assert chosen(pool)
            assert chosen(pool)

    asyncio.run(story())


def test_a_token_without_limits_is_nobodys_business_and_strange_windows_are_passed_over() -> None:
    async def story() -> None:
        pool, book = pool_of(Clock(), "sk-only", daily=2), TokenBook(Clock())
        limits = SharedLimits(Stuck(), book, pool)
        account = Account(a_token(), book.clock())
        await limits.admit("req_1", account, account.reserve(60, Decimal(0), book.clock()))
        await limits.admit("req_2", None, None)
        for window in ("token/gone/rpm@1", "key/acme/gone/daily@1", "what@1", f"key/acme/{key_id('sk-only')}/daily@1"):
            limits.heard(window, State(1, 0))
        assert pool.windows("acme", key_id("sk-only"))["daily"].elsewhere == 0

    asyncio.run(story())
