"""Several routers as processes: limits granted once, and nothing lost whoever dies."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from bench.router import peer
from modelscan.catalog.database import Database
from modelscan.settings import Settings, load
from modelscan.types import Auth
from tests.e2e.routers import Fleet, Member, part
from tests.e2e.service import eventually
from tests.redis_server import RedisServer, redis_server
from tests.router_app.routers import a_spec, publish

KEY = "sk-scale-0123456789abcdef"
BODY = {"model": "bench/bench", "messages": [{"role": "user", "content": "hi"}]}
CALLERS = 16


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two routers and one provider, with one key and no limit on it yet."""
    quick = {"MODELSCAN_ROUTING_RETRIES": "0", "MODELSCAN_REDIS_TIMEOUT_SECONDS": "2"}
    found = Fleet(tmp_path_factory.mktemp("fleet"), 2, {"MODELSCAN_REDIS_URL": redis.url, **quick})
    settings = settings_of(found)
    settings.data_dir.mkdir(mode=0o700)
    with peer() as upstream:
        publish(settings, a_spec(upstream, "bench", ("bench",), auth=Auth()))
        try:
            found.start()
            found.members[0].api("POST", "/api/keys/add", json={"provider": "bench", "api_key": KEY}).raise_for_status()
            eventually(
                lambda: all(chat(member).status_code == 200 for member in found.members), what="a key everywhere"
            )
            yield found
        finally:
            found.stop()


def settings_of(fleet: Fleet) -> Settings:
    return load(environ=fleet.members[0].environment).settings


def chat(member: Member) -> httpx2.Response:
    return httpx2.post(f"{member.url}/v1/chat/completions", json=BODY, timeout=20)


def limit(fleet: Fleet, more: int) -> int:
    """Let the key have so many requests more today, and return how many that are in all, once both routers know."""
    used = rows(fleet)
    asker = fleet.members[0]
    (key,) = asker.api("GET", "/api/keys?provider=bench").json()
    most = used.total() + more
    terms = {"provider": "bench", "key": key["id"], "daily": most}
    asker.api("POST", "/api/keys/limit", json=terms).raise_for_status()

    def known() -> bool:
        told = [member.api("GET", "/api/keys/explain?provider=bench").json()[0] for member in fleet.members]
        days = [one["limits"][2] for one in told]
        return all(day["limit"] == most and day["used"] >= used.total() for day in days)

    eventually(known, what="the limit at both routers")
    return most


def rows(fleet: Fleet) -> Counter[str]:
    """How often each request that was answered by the provider stands in the usage rows; once all journals are in."""
    journal = settings_of(fleet).journal_dir
    eventually(lambda: not any(map(holds_rows, journal.glob("*.jsonl"))), every=0.2, what="that all journals are in")
    with Database(settings_of(fleet).database_path).read() as connection:
        found = connection.execute("SELECT request_id FROM usage_tracking WHERE status = 200").fetchall()
    return Counter(str(id_) for (id_,) in found)


def holds_rows(segment: Path) -> bool:
    try:
        return segment.stat().st_size > 0
    except FileNotFoundError:  # It was taken in meanwhile.
        return False


def settled(fleet: Fleet, answered: set[str]) -> Counter[str]:
    """The rows, once each answered request has one."""

    def there() -> Counter[str] | None:
        found = rows(fleet)
        return found if answered <= set(found) else None

    return eventually(there, every=0.2, what="a row for each answered request")


async def asked(members: list[Member], count: int, answered: set[str]) -> Counter[int]:
    """The statuses of so many requests in turns at all; 0 for those that a dying router did not answer."""
    turns, statuses = itertools.cycle(member.url for member in members), Counter[int]()
    left = iter(range(count))
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:

        async def caller() -> None:
            for _ in left:
                try:
                    answer = await http.post(f"{next(turns)}/v1/chat/completions", json=BODY)
                except httpx2.TransportError:
                    statuses[0] += 1
                    continue
                statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    answered.add(answer.headers["x-request-id"])

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return statuses


def test_of_a_budget_of_requests_two_routers_grant_exactly_as_many(fleet: Fleet) -> None:
    limit(fleet, 150)
    answered: set[str] = set()
    assert asyncio.run(asked(fleet.members, 260, answered)) == {200: 150, 429: 110}
    assert set(settled(fleet, answered).values()) == {1}


def test_a_router_killed_under_load_loses_nothing_and_the_other_goes_on(fleet: Fleet) -> None:
    most = limit(fleet, 200)
    answered: set[str] = set()
    one, other = fleet.members

    async def story() -> Counter[int]:
        asking = asyncio.create_task(asked(fleet.members, 300, answered))
        async with asyncio.timeout(30):
            while len(answered) < 60:  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.002)
        assert other.process
        other.process.kill()
        statuses = await asking
        await asyncio.to_thread(other.process.wait)
        return statuses

    statuses = asyncio.run(story())
    assert statuses[0] > 0
    assert statuses[200] + statuses[429] + statuses[0] == 300
    eventually(lambda: one.answers() and (fleet.data / "router.url").read_text().strip() == one.url, what="its name")
    found = settled(fleet, answered)
    assert set(found.values()) == {1}
    # What the dead one held without an answer is given back, and then all that is left is granted, and no more.
    said = "Limits are shared by 1 router."
    eventually(lambda: part(one, "redis").get("detail") == said, seconds=30, what=said)

    def spent() -> bool:
        asyncio.run(asked([one], 40, answered))
        return settled(fleet, answered).total() >= most

    eventually(spent, seconds=30, every=1, what="that all is granted")
    assert settled(fleet, answered).total() == most
    other.start()
    fleet.together()


def test_without_redis_each_grants_half_of_what_is_left_and_then_all_is_added_up(
    fleet: Fleet, redis: RedisServer
) -> None:
    limit(fleet, 100)
    answered: set[str] = set()
    assert asyncio.run(asked(fleet.members, 20, answered)) == {200: 20}
    eventually(lambda: all(seen(member) >= rows(fleet).total() for member in fleet.members), what="what both used")
    redis.kill()
    assert asyncio.run(asked(fleet.members[:1], 70, answered))[200] == 40
    down = part(fleet.members[0], "redis")
    assert (down["state"], down["detail"]) == ("down", "This router grants 1/2 of what was left of each limit.")
    redis.start()
    fleet.together()
    assert asyncio.run(asked(fleet.members, 90, answered)) == {200: 40, 429: 50}
    assert set(settled(fleet, answered).values()) == {1}


def seen(member: Member) -> int:
    (key,) = member.api("GET", "/api/keys/explain?provider=bench").json()
    return int(key["limits"][2]["used"])
