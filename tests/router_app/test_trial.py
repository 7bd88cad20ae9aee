"""A version on trial is asked first by its share; what it fails at the other one answers, and nobody suffers for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from modelscan.clients import activation
from modelscan.reference import create_reference
from modelscan.settings import Settings
from modelscan.types import Auth, CanaryTerms, ClientSpec, Endpoint
from router_app import trial
from tests.router_app.routers import KEY, Router, a_spec, eventually, publish, routed

TERMS = CanaryTerms(share=0.5, requests=50, minutes=0)


class Upstream:
    """The reference provider, which answers with `status` below /broken."""

    def __init__(self, status: int, key: str | None = None) -> None:
        self._status = status
        self._reference = create_reference(models=("echo",), key=key)
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked.append(scope["path"])
        if scope["type"] == "http" and scope["path"].startswith("/broken"):
            await send({"type": "http.response.start", "status": self._status, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await self._reference(scope, receive, send)


def broken(spec: ClientSpec) -> ClientSpec:
    """A version of the client that asks where nothing good comes from."""
    ends = tuple(
        one.model_copy(update={"path": "/chat/completions"}) if one.operation == "chat" else one
        for one in spec.endpoints
    )
    assert all(isinstance(one, Endpoint) for one in ends)
    return spec.model_copy(update={"base_url": spec.base_url.replace("/v1", "/broken"), "endpoints": ends})


@asynccontextmanager
async def trying(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int = 500, *, fails: bool = True, **more: Any
) -> AsyncIterator[tuple[Router, Upstream]]:
    """A router whose acme has version 1 served and version 2 on trial, for every second request."""
    upstream, turn = Upstream(status, KEY if more else None), iter(range(10**6))
    monkeypatch.setattr(trial, "_chance", lambda: next(turn) % 2)
    peers = {"acme": upstream}
    async with routed(settings, peers=peers, specs=lambda at: [a_spec(f"{at['acme']}/v1", **more)]) as router:
        current = router.service.serving.current
        assert current is not None
        spec = current.served["acme"].spec
        new = broken(spec) if fails else spec.model_copy(update={"name": "New"})
        await asyncio.to_thread(publish, settings, new, terms=TERMS)
        await router.service.reload()
        yield router, upstream


def trials(router: Router) -> int:
    current = router.service.serving.current
    return len(current.trials) if current else -1


@pytest.mark.parametrize("status", [302, 400, 401, 404, 500, 503, 529])
def test_what_it_fails_at_is_answered_by_the_served_version(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    async def story() -> None:
        async with trying(settings, monkeypatch, status) as (router, upstream):
            answers = [await router.chat("acme/echo") for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200] * 4
            assert {answer.headers["x-modelscan-sdk-version"] for answer in answers} == {"1"}
            rows = [(row["sdk_version"], row["failed_version"], row["status"]) for row in router.usage()]
            assert rows == [(1, 2, 200), (1, None, 200)] * 2
            assert len(upstream.asked) == 6

    asyncio.run(story())


def test_no_key_and_no_provider_is_blamed_for_a_wrong_client(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with trying(settings, monkeypatch, 401, auth=Auth(env=())) as (router, _):
            added = await router.admin("POST", "/keys/add", json={"provider": "acme", "api_key": KEY})
            assert added.status_code < 300
            for _ in range(12):
                answer = await router.chat("acme/echo")
                assert answer.status_code == 200
            (key,) = (await router.admin("GET", "/keys/explain?provider=acme")).json()
            assert key["state"] == "ready"
            assert router.service.serving.circuits.open_for("acme") == 0

    asyncio.run(story())


def test_who_is_asked_too_often_is_no_bad_client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with trying(settings, monkeypatch, 429) as (router, _):
            assert (await router.chat("acme/echo")).status_code == 200
            (row,) = router.usage()
            assert (row["sdk_version"], row["failed_version"]) == (1, None)

    asyncio.run(story())


def test_one_that_works_answers_its_share(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with trying(settings, monkeypatch, fails=False) as (router, _):
            found = [(await router.chat("acme/echo")).headers["x-modelscan-sdk-version"] for _ in range(4)]
            assert found == ["2", "1", "2", "1"]
            assert [row["sdk_version"] for row in router.usage()] == [2, 1, 2, 1]

    asyncio.run(story())


def test_a_provider_that_is_left_alone_is_not_asked_for_a_trial(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with trying(settings, monkeypatch) as (router, upstream):
            for _ in range(5):
                router.service.serving.circuits.failed("acme", "it is down")
            assert (await router.chat("acme/echo")).status_code == 503
            assert upstream.asked == []

    asyncio.run(story())


def test_a_bad_version_is_rolled_back_by_the_router_and_health_tells_of_its_trial(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with trying(settings, monkeypatch) as (router, _):
            (told,) = router.service.health()["canaries"]
            assert (told["provider"], told["version"], told["share"]) == ("acme", 2, 0.5)
            assert (await router.chat("acme/echo")).status_code == 200
            await router.service.flush()
            await router.service.judge_trials()
            (told,) = (await router.http.get("/health")).json()["canaries"]
            assert told["canary"] == {"requests": 1, "errors": 1}
            for _ in range(11):
                assert (await router.chat("acme/echo")).status_code == 200
            await router.service.flush()
            await router.service.judge_trials()
            assert (trials(router), router.service.health()["canaries"]) == (0, [])
            await router.service.judge_trials()
            steps = (await router.admin("GET", "/versions/acme/history")).json()
            assert (steps[0]["kind"], steps[0]["counts"]["canary"]["errors"]) == ("canary-rolled-back", 6)

    asyncio.run(story())


def test_a_good_version_is_promoted_by_the_router_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router_app.service._FLUSH_SECONDS", 0.01)

    async def story() -> None:
        async with trying(settings, monkeypatch, fails=False) as (router, _):
            router.service.start()
            for _ in range(100):
                assert (await router.chat("acme/echo")).status_code == 200
            await eventually(lambda: trials(router) == 0)
            current = router.service.serving.current
            assert current is not None
            assert current.served["acme"].version.version == 2

    asyncio.run(story())


def test_the_operator_tries_activates_and_rolls_back_over_the_api(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            for name in ("one", "two"):
                publish(settings, a_spec("http://127.0.0.1:9/v1", models=(name,)))
            rolled = (await router.admin("POST", "/versions/acme/rollback", json={"reason": "slow"})).json()
            assert (rolled["version"], rolled["generation"]) == (1, 3)
            asked = {"version": 2, "share": 0.05, "margin": 0.1, "requests": 7, "minutes": 1}
            tried = (await router.admin("POST", "/versions/acme/canary", json=asked)).json()
            assert (tried["canary"]["version"], tried["canary"]["share"], tried["version"]) == (2, 0.05, 1)
            told = {
                one["version"]["version"]: one for one in (await router.admin("GET", "/versions?provider=acme")).json()
            }
            assert (told[1]["state"], told[2]["state"]) == ("active", "canary")
            assert [one["field"] for one in told[2]["changes"]] == ["models.added", "models.removed"]
            assert "canary" not in (await router.admin("DELETE", "/versions/acme/canary?reason=done")).json()
            active = (await router.admin("POST", "/versions/acme/activate", json={"version": 2})).json()
            assert (active["version"], active["generation"]) == (2, 6)
            steps = (await router.admin("GET", "/versions/acme/history")).json()
            assert [one["kind"] for one in steps[:4]] == [
                "activated",
                "canary-stopped",
                "canary-started",
                "rolled-back",
            ]
            assert [one["why"] for one in steps[1:4]] == ["done", "", "slow"]
            assert {one["actor"] for one in steps[:4]} == {"admin token"}
            issued = (await router.admin("POST", "/tokens", json={"name": "ann", "role": "admin"})).json()
            ann = {"authorization": f"Bearer {issued['token']}"}
            await router.http.post("/api/versions/acme/rollback", json={}, headers=ann)
            assert (await router.admin("GET", "/versions/acme/history")).json()[0]["actor"] == "token ann"
            lost = await router.admin("POST", "/versions/acme/activate", json={"version": 9})
            assert (lost.status_code, lost.json()["code"]) == (404, "version-not-found")
            assert len((await router.admin("GET", "/versions")).json()) == 2

    asyncio.run(story())


def test_what_can_no_longer_be_read_is_said(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            for name in ("one", "two"):
                publish(settings, a_spec("http://127.0.0.1:9/v1", models=(name,)))
            with router.service.database.write() as connection:
                connection.execute("DELETE FROM sdk_sources")
            (settings.generation.path / "acme.py").unlink()
            done = activation.known(router.service.database, "acme")
            assert [one.state for one in done] == ["active", "gone"]
            assert (await router.admin("GET", "/versions?provider=acme")).json()[0]["changes"] == []

    asyncio.run(story())
