"""What may pass is tried again, what a key was refused for with the next key; the caller hears what it took."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from modelscan.errors import UpstreamFailed
from modelscan.settings import RoutingSettings, Settings
from modelscan.types import Auth
from router_app.attempts import wait_seconds
from router_app.upstream import Headers, Upstream, UpstreamAnswer
from tests.router_app.routers import a_spec, routed

QUICK = RoutingSettings(retry_seconds=0.001, longest_retry_seconds=0.5)
EXPLAIN = {"x-modelscan-explain": "1"}
NO_KEY = Auth(kind="none")


@dataclass
class Moody:
    """Answers with each status in turn, and with the last one from then on; remembers the keys that it saw."""

    moods: Sequence[int]
    headers: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        given = dict(scope["headers"])
        status = self.moods[min(len(self.keys), len(self.moods) - 1)]
        if scope["method"] == "POST":  # Not where our own look at how it is doing asks.
            self.keys.append(given.get(b"authorization", b"").decode().removeprefix("Bearer "))
        body = {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
        await JSONResponse(body if status == 200 else {"error": {"message": f"mood {status}"}}, status, self.headers)(
            scope, receive, send
        )


@dataclass
class Losing:
    """An upstream that loses the first connections."""

    upstream: Upstream
    lost: int
    sent: int = 0

    async def send(self, method: str, url: str, headers: Headers, body: bytes, within: float = 60.0) -> UpstreamAnswer:
        self.sent += 1
        if self.sent <= self.lost:
            raise UpstreamFailed("It broke off.")
        return await self.upstream.send(method, url, headers, body, within)

    async def aclose(self) -> None:
        await self.upstream.aclose()


async def asked(
    peer: Moody, settings: Settings, *keys: str, lost: int = 0
) -> tuple[httpx2.Response, list[dict[str, Any]]]:
    """The router's answer to one chat, and the usage rows."""
    settings = settings.model_copy(update={"api_keys": {"acme": tuple(SecretStr(key) for key in keys)}})
    auth = Auth() if keys else NO_KEY
    async with routed(
        settings,
        peers={"acme": peer},
        specs=lambda origins: [a_spec(f"{origins['acme']}/v1", auth=auth)],
    ) as router:
        serving = router.service.serving
        serving.settings, serving.upstream = QUICK, Losing(serving.upstream, lost)
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
        answer = await router.http.post("/v1/chat/completions", json=body, headers=EXPLAIN)
        return answer, router.usage()


@pytest.mark.parametrize("fault", [408, 409, 429, 500, 501, 502, 503, 504, 524, 529])
def test_what_may_pass_is_tried_again(settings: Settings, fault: int) -> None:
    peer = Moody([fault, fault, 200])
    answer, rows = asyncio.run(asked(peer, settings))
    assert (answer.status_code, len(peer.keys)) == (200, 3)
    assert answer.headers["x-modelscan-path"] == f"acme no key {fault}; acme no key {fault}; acme no key 200"
    assert [row["status"] for row in rows] == [200]


def test_a_connection_that_is_lost_before_an_answer_is_made_anew(settings: Settings) -> None:
    answer, _ = asyncio.run(asked(Moody([200]), settings, lost=2))
    assert answer.headers["x-modelscan-path"].endswith("acme no key upstream-failed; acme no key 200")


@pytest.mark.parametrize("fault", [400, 401, 403, 404, 413, 422])
def test_what_the_same_request_would_meet_again_goes_to_the_caller_at_once(settings: Settings, fault: int) -> None:
    peer = Moody([fault])
    answer, _ = asyncio.run(asked(peer, settings))
    assert (answer.status_code, answer.json()["error"]["message"], len(peer.keys)) == (fault, f"mood {fault}", 1)


def test_a_fault_that_stays_is_the_callers_in_the_end(settings: Settings) -> None:
    peer = Moody([500])
    answer, _ = asyncio.run(asked(peer, settings))
    assert (answer.status_code, answer.json()["error"]["message"], len(peer.keys)) == (500, "mood 500", 3)


def test_a_connection_that_is_lost_again_and_again_is_an_error_of_ours(settings: Settings) -> None:
    answer, rows = asyncio.run(asked(Moody([200]), settings, lost=3))
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")
    assert answer.headers["x-modelscan-path"].count("upstream-failed") == 3
    assert [row["error_code"] for row in rows] == ["upstream-failed"]


@pytest.mark.parametrize(("told", "sent"), [("60", 1), ("0", 2)])
def test_a_provider_that_wants_a_long_wait_is_not_waited_for(settings: Settings, told: str, sent: int) -> None:
    peer = Moody([429, 200], headers={"retry-after": told})
    answer, _ = asyncio.run(asked(peer, settings))
    assert len(peer.keys) == sent
    assert answer.status_code == (200 if sent == 2 else 429)
    assert answer.headers["retry-after"] == told


@pytest.mark.parametrize("refusal", [401, 403, 429])
def test_a_key_that_was_refused_is_followed_by_the_next_and_not_used_again(settings: Settings, refusal: int) -> None:
    peer = Moody([refusal, 200])
    answer, (row,) = asyncio.run(asked(peer, settings, "sk-first-00000000", "sk-second-0000000"))
    assert answer.status_code == 200
    assert {*peer.keys} == {"sk-first-00000000", "sk-second-0000000"}
    assert "sk-" not in answer.headers["x-modelscan-path"]
    assert row["key_id"] in answer.headers["x-modelscan-path"].split("; ")[1]


def test_where_all_keys_are_refused_the_last_refusal_is_told(settings: Settings) -> None:
    peer = Moody([401])
    answer, _ = asyncio.run(asked(peer, settings, "sk-first-00000000", "sk-second-0000000"))
    assert (answer.status_code, len(peer.keys), len({*peer.keys})) == (401, 2, 2)


def test_the_request_that_met_a_429_is_sent_again_with_the_only_key_and_ends_its_rest(settings: Settings) -> None:
    peer = Moody([429, 429, 200])
    answer, (row,) = asyncio.run(asked(peer, settings, "sk-only-000000000"))
    assert (answer.status_code, len(peer.keys), row["status"]) == (200, 3, 200)
    again = Moody([200])
    assert asyncio.run(asked(again, settings, "sk-only-000000000"))[0].status_code == 200
    assert len(again.keys) == 1


def test_the_overhead_leaves_out_what_the_provider_took(settings: Settings) -> None:
    class Slow(Moody):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0.3)
            await super().__call__(scope, receive, send)

    answer, _ = asyncio.run(asked(Slow([200]), settings))
    assert 0 < int(answer.headers["x-modelscan-overhead-us"]) < 300_000


def test_a_pause_for_the_providers_sake_is_no_overhead(settings: Settings) -> None:
    peer = Moody([429, 200], headers={"retry-after": "0.4"})
    answer, _ = asyncio.run(asked(peer, settings))
    assert (answer.status_code, len(peer.keys)) == (200, 2)
    assert 0 < int(answer.headers["x-modelscan-overhead-us"]) < 400_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7.0),
        (b"1.5", 1.5),
        (b"9" * 40, 999_999_999.0),
        (b"Fri, 20 Nov 2026 10:00:05 GMT", 5.0),
        (b"Fri, 20 Nov 2026 09:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: bytes, seconds: float) -> None:
    now = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert wait_seconds([(b"retry-after", value)], lambda: now) == seconds


@pytest.mark.parametrize("value", [b"", b"soon", b"-1", b"1e3", b"1.", b"\xff", b"Fri, 99 Nov 2026 10:00:05 GMT"])
def test_what_is_neither_says_nothing(value: bytes) -> None:
    assert wait_seconds([(b"retry-after", value)]) is None
    assert wait_seconds([(b"retry-after-ms", value)]) is None
    assert wait_seconds([]) is None


def test_milliseconds_are_told_in_a_header_of_their_own() -> None:
    assert wait_seconds([(b"retry-after", b"1"), (b"retry-after-ms", b"812")]) == 0.812
