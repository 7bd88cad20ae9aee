"""Keys over a real router: their limits, what becomes of a refused one, what the operator does, and a restart."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from modelscan.catalog import keys as table
from modelscan.errors import CatalogBusy
from modelscan.settings import Settings
from modelscan.types import Auth
from router_app import trying
from tests.router_app.peers import Endless
from tests.router_app.routers import Router, a_spec, eventually, routed

KEY, OTHER = "sk-first-0123456789-abcdefghijklmnop", "sk-other-0123456789-abcdefghijklmnop"


@dataclass
class Choosy:
    """Answers each key with the status that is set for it; remembers path and key of each request."""

    statuses: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    public: bool = False
    """Whether the list of models is given to everybody."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        key = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        self.seen.append((scope["path"], key))
        listed = scope["path"].endswith("/models")
        status = self.statuses.get(key, 200 if key or (listed and self.public) else 401)
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        good = {"data": [{"id": "echo"}]} if listed else {"choices": [{"message": {"content": "hi"}}], "usage": usage}
        body = good if status == 200 else {"error": {"message": f"no {key}"}}
        await JSONResponse(body, status, self.headers)(scope, receive, send)


@asynccontextmanager
async def keyed(settings: Settings, peer: Any, *keys: str, base: str = "", **spec: Any) -> AsyncIterator[Router]:
    """A router whose one provider, acme, is `peer` and wants a key."""
    once = settings.model_copy(update={"routing": settings.routing.model_copy(update={"retries": 0})})
    async with routed(
        once,
        peers={"acme": peer},
        specs=lambda origins: [a_spec(base or f"{origins['acme']}/v1", auth=Auth(), **spec)],
    ) as router:
        for number, key in enumerate(keys):
            await done(router, "add", api_key=key, label=f"key-{number}")
        yield router


async def done(router: Router, what: str, status: int | None = None, **body: Any) -> dict[str, Any]:
    """What the API answers to a request about a key of acme."""
    answer = await router.admin("POST", f"/keys/{what}", json={"provider": "acme", **body})
    assert answer.status_code == (status or (201 if what == "add" else 200)), answer.text
    assert KEY not in answer.text
    found: dict[str, Any] = answer.json()
    return found


async def states(router: Router) -> dict[str, Mapping[str, Any]]:
    told = await router.admin("GET", "/keys/explain?provider=acme")
    assert KEY not in told.text
    return {one["label"]: one for one in told.json()}


async def chats(router: Router, times: int) -> list[int]:
    answers = await asyncio.gather(*(router.chat("acme/echo") for _ in range(times)))
    return sorted(answer.status_code for answer in answers)


def test_a_burst_does_not_pass_a_limit_and_neither_does_what_comes_after_a_restart(settings: Settings) -> None:
    peer = Choosy()

    async def before() -> None:
        async with keyed(settings, peer, KEY) as router:
            limited = await done(router, "limit", key="key-0", daily=3)
            assert (limited["daily"], limited["rpm"], limited["label"]) == (3, None, "key-0")
            assert await chats(router, 10) == [200] * 3 + [429] * 7
            refused = await router.chat("acme/echo")
            assert refused.json()["error"]["code"] == "rate-limited"
            assert "as often as you allow" in refused.json()["error"]["message"]
            assert 0 < int(refused.headers["retry-after"]) <= 86_400

    async def after() -> None:
        async with keyed(settings, peer) as router:
            assert await chats(router, 1) == [429]
            state = (await states(router))["key-0"]
            assert (state["state"], state["limits"][2]["used"]) == ("full", 3)
            await done(router, "limit", key="key-0", daily=4)
            assert await chats(router, 2) == [200, 429]
            await done(router, "limit", key="key-0", daily=None)
            assert await chats(router, 1) == [200]

    asyncio.run(before())
    asyncio.run(after())


def test_requests_at_once_spread_evenly_over_the_keys(settings: Settings) -> None:
    peer, keys = Choosy(), [f"{KEY}{number}" for number in range(4)]

    async def story() -> None:
        async with keyed(settings, peer, *keys) as router:
            assert await chats(router, 42) == [200] * 42
            assert sorted(Counter(key for _, key in peer.seen).values()) == [10, 10, 11, 11]

    asyncio.run(story())


def test_a_401_disables_a_key_over_a_restart_until_the_operator_acts(settings: Settings) -> None:
    peer = Choosy({KEY: 401})

    async def before() -> None:
        async with keyed(settings, peer, KEY) as router:
            assert await chats(router, 1) == [401]
            assert await chats(router, 1) == [503]

    async def after() -> None:
        async with keyed(settings, peer) as router:
            assert await chats(router, 1) == [503]
            state = (await states(router))["key-0"]
            assert (state["state"], state["refused_with"]) == ("disabled", 401)
            peer.statuses.clear()
            assert (await done(router, "enable", key="key-0"))["state"] == "active"
            assert await chats(router, 1) == [200]

    asyncio.run(before())
    asyncio.run(after())
    assert len(peer.seen) == 2


def test_a_key_rests_on_after_a_restart_and_is_used_again_when_it_is_given_again(settings: Settings) -> None:
    peer = Choosy({KEY: 429}, {"retry-after": "600"})

    async def before() -> None:
        async with keyed(settings, peer, KEY) as router:
            assert await chats(router, 1) == [429]

    async def after() -> None:
        async with keyed(settings, peer) as router:
            refused = await router.chat("acme/echo")
            assert refused.status_code == 429
            assert 590 <= int(refused.headers["retry-after"]) <= 600
            assert (await states(router))["key-0"]["state"] == "resting"
            peer.statuses.clear()
            await done(router, "add", api_key=KEY)
            assert await chats(router, 1) == [200]

    asyncio.run(before())
    asyncio.run(after())
    assert len(peer.seen) == 2


def test_a_key_of_which_the_provider_leaves_nothing_is_followed_by_the_other(settings: Settings) -> None:
    peer = Choosy(headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h0m0s"})

    async def story() -> None:
        async with keyed(settings, peer, KEY, OTHER) as router:
            for _ in range(2):
                assert await chats(router, 1) == [200]
            assert {key for _, key in peer.seen} == {KEY, OTHER}
            assert await chats(router, 1) == [429]
            assert [one["learned"][0]["remaining"] for one in (await states(router)).values()] == [0, 0]

    asyncio.run(story())


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_what_was_reserved_is_given_back_however_a_request_ends(settings: Settings, status: int) -> None:
    async def story() -> None:
        async with keyed(settings, Choosy({KEY: status}), KEY) as router:
            assert await chats(router, 3) == [status] * 3 or status == 429
            ((counter, _),) = router.service.serving.pool.in_order("acme")
            assert counter.tokens.reserved == 0
            assert (counter.tokens.used, counter.day.used) == {200: (30, 3), 429: (0, 0)}.get(status, (0, 3))

    asyncio.run(story())


def test_it_is_given_back_where_the_caller_leaves(settings: Settings) -> None:
    async def story() -> None:
        async with keyed(settings, Endless(), KEY) as router:
            ((counter, _),) = router.service.serving.pool.in_order("acme")
            body = {"model": "acme/echo", "messages": [], "stream": True}
            async with router.http.stream("POST", "/v1/chat/completions", json=body) as answer:
                await anext(answer.aiter_bytes())
                assert counter.tokens.reserved > 1_000
            await eventually(lambda: counter.tokens.reserved == 0)
            assert counter.day.used == 1

    asyncio.run(story())


def test_the_order_of_choice_is_explained(settings: Settings) -> None:
    async def story() -> None:
        async with keyed(settings, Choosy(), KEY, OTHER) as router:
            await chats(router, 1)
            found = (await router.admin("GET", "/keys/explain?provider=acme")).json()
            assert [one["place"] for one in found] == [1, 2]
            assert found[0]["score"] < found[1]["score"] == 1.01
            assert (await router.admin("GET", "/keys/explain")).json()["code"] == "invalid-input"
            assert (await router.admin("GET", "/keys/explain?provider=nobody")).json() == []

    asyncio.run(story())


def test_a_key_is_switched_off_and_deleted(settings: Settings) -> None:
    async def story() -> None:
        async with keyed(settings, Choosy(), KEY) as router:
            switched = await done(router, "disable", key="key-0")
            assert (switched["state"], switched["disabled_for"]) == ("disabled", "operator")
            assert await chats(router, 1) == [503]
            assert "you switched it off" in (await states(router))["key-0"]["why"]
            gone = await router.admin("DELETE", f"/keys?provider=acme&key={switched['id'][:5]}")
            assert gone.json() == switched
            assert await states(router) == {}
            assert (await done(router, "enable", 404, key="key-0"))["code"] == "key-not-found"

    asyncio.run(story())


def test_a_rotation_keeps_limits_and_label_and_what_ran_ends_with_the_old_key(settings: Settings) -> None:
    peer = Choosy()

    async def story() -> None:
        async with keyed(settings, peer, KEY) as router:
            await done(router, "limit", key="key-0", rpm=50, daily=9)
            lease = router.service.serving.pool.choose("acme")
            fresh = await done(router, "rotate", key="key-0", api_key=OTHER)
            assert (fresh["label"], fresh["rpm"], fresh["daily"], fresh["requests"]) == ("key-0", 50, 9, 0)
            assert await chats(router, 2) == [200, 200]
            assert [key for _, key in peer.seen] == [OTHER, OTHER]
            assert lease is not None
            lease.settle(5)
            assert (await done(router, "rotate", 400, key="key-0", api_key=OTHER))["code"] == "invalid-input"

    asyncio.run(story())


def test_a_key_of_the_configuration_is_changed_there(settings: Settings) -> None:
    configured = Settings.model_validate({**settings.model_dump(), "api_keys": {"acme": [KEY]}})

    async def story() -> None:
        async with keyed(configured, Choosy()) as router:
            (key,) = (await router.admin("GET", "/keys?provider=acme")).json()
            refused = await done(router, "rotate", 400, key=key["id"], api_key=OTHER)
            assert "it would come back" in refused["detail"]
            answer = await router.admin("DELETE", f"/keys?provider=acme&key={key['id']}")
            assert (answer.status_code, "keys disable acme" in answer.json()["hint"]) == (400, True)
            await done(router, "disable", key=key["id"])
        async with keyed(configured, Choosy()) as router:
            assert await chats(router, 1) == [503]  # What the operator switched off stays so at the next start.

    asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "public", "chat", "verdict", "asked"),
    [
        (200, False, False, "taken", ["models", "models without a key"]),
        (200, True, False, "unclear", ["models", "models without a key"]),
        (200, True, True, "taken", ["models", "models without a key", "chat"]),
        (401, False, False, "refused", ["models"]),
        (429, False, True, "limited", ["models", "chat"]),
        (500, False, False, "unclear", ["models"]),
    ],
)
def test_a_key_is_tried(
    settings: Settings, status: int, public: bool, chat: bool, verdict: str, asked: list[str]
) -> None:
    peer = Choosy({KEY: status}, public=public)

    async def story() -> None:
        async with keyed(settings, peer, KEY) as router:
            tried = await done(router, "test", key="key-0", chat=chat)
            assert (tried["verdict"], [call["what"] for call in tried["calls"]]) == (verdict, asked)
            assert tried["calls"][0]["detail"] in ("1 models", "no [redacted]")
            assert (await states(router))["key-0"]["state"] == "ready"

    asyncio.run(story())


def test_a_list_without_end_is_not_read_to_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "_MOST_BYTES", 10)

    async def story() -> None:
        async with keyed(settings, Endless(), KEY) as router:
            tried = await done(router, "test", key="key-0")
            assert [(call["status"], call["detail"]) for call in tried["calls"]] == [(200, ""), (200, "")]

    asyncio.run(story())


def test_it_is_tried_also_where_nobody_answers_or_nothing_is_free(settings: Settings) -> None:
    async def story() -> None:
        chat = tuple(one for one in a_spec("http://127.0.0.1:9/v1").endpoints if one.operation == "chat")
        async with keyed(settings, Choosy(), KEY, endpoints=chat) as router:
            tried = await done(router, "test", key="key-0")
            assert (tried["verdict"], tried["calls"]) == ("unclear", [])
            assert "--chat" in tried["why"]
        async with keyed(settings, Choosy(), base="http://127.0.0.1:9/v1") as router:
            tried = await done(router, "test", key="key-0", chat=True)
            assert (tried["verdict"], tried["calls"][1]["status"]) == ("unreachable", None)
            assert (await done(router, "disable", 404, key="nobody"))["code"] == "key-not-found"

    asyncio.run(story())


def test_a_key_for_another_server_or_for_none_is_not_tried(settings: Settings) -> None:
    async def story() -> None:
        async with keyed(settings, Choosy()) as router:
            async with router.service.keyring() as keyring:
                await keyring.add("acme", SecretStr(KEY), "http://127.0.0.1:9/v1", "elsewhere")
                await keyring.add("none", SecretStr(KEY), label="none")
            assert "127.0.0.1:9" in (await done(router, "test", 400, key="elsewhere"))["detail"]
            assert (await states(router))["elsewhere"]["state"] == "elsewhere"
            answer = await router.admin("POST", "/keys/test", json={"provider": "none", "key": "none"})
            assert answer.json()["code"] == "provider-not-found"

    asyncio.run(story())


def test_a_provider_that_wants_no_key_is_not_asked_with_one(settings: Settings) -> None:
    async def story() -> None:
        peers, free = {"acme": Choosy()}, Auth(kind="none")
        specs = [a_spec("http://127.0.0.1:9/v1", auth=free)]
        async with routed(settings, peers=peers, specs=lambda _: specs) as router:
            await done(router, "add", api_key=KEY, label="key-0")
            assert "wants no key" in (await done(router, "test", 400, key="key-0"))["detail"]

    asyncio.run(story())


def test_what_cannot_be_stored_of_a_key_is_stored_the_next_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with keyed(settings, Choosy({KEY: 401}), KEY) as router:
            assert await chats(router, 1) == [401]
            with monkeypatch.context() as patched:
                patched.setattr(table, "save_standings", busy)
                await router.service._keep_standings()
            (key,) = (await router.admin("GET", "/keys")).json()
            assert key["state"] == "active"
            await router.service._keep_standings()
            (key,) = (await router.admin("GET", "/keys")).json()
            assert (key["state"], key["disabled_for"], key["fault_status"]) == ("disabled", "refused", 401)
            assert router.service.serving.pool.take_unsaved() == []

    def busy(*_: object) -> None:
        raise CatalogBusy("The catalogue is busy.")

    asyncio.run(story())
