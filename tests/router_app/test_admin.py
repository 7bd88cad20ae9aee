"""The admin API over a real router: tokens, bodies, discoveries, keys, reloads."""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from modelscan.catalog import discoveries
from modelscan.settings import Settings
from modelscan.types import Auth, DiscoveryError, DiscoveryState, Identifier, utc_now
from router_app.admin import Admin
from tests.places import settings_in
from tests.router_app.routers import (
    TOKEN,
    Lasting,
    Router,
    a_spec,
    eventually,
    lasting,
    publish,
    routed,
    routed_to_reference,
)


async def end(router: Router, discovery_id: str, **changes: Any) -> None:
    """End a discovery, as the runner does."""
    ended = {"state": DiscoveryState.SUCCEEDED, "ended_at": utc_now(), **changes}
    await asyncio.to_thread(lambda: discoveries.update(router.service.database, discovery_id, **ended))


UNKNOWN = DiscoveryError(
    code="unknown-identifier", message="Nobody knows acmee.", hint="Did you mean acme?", fields={"nearest": ["acme"]}
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    with lasting(routed(settings_in(tmp_path_factory.mktemp("router")))) as found:
        yield found


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer \xff", TOKEN])
def test_every_route_needs_the_token(stand: Lasting, header: str | None) -> None:
    async def story(router: Router) -> None:
        headers = {} if header is None else {b"authorization": header.encode("latin-1")}
        for route in Admin(router.service).routes():
            method = "POST" if "POST" in (route.methods or ()) else "GET"
            answer = await router.http.request(method, f"/api{route.path}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), route.path
            assert answer.headers["www-authenticate"] == "Bearer"

    stand.run(story(stand.router))


def test_adding_answers_202_with_where_to_follow(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            asked = {"identifier": "Acme/small", "base_url": "http://127.0.0.1:9/v1/", "refresh": True, "deep": True}
            answer = await router.admin("POST", "/providers/add", json=asked)
            found = answer.json()
            assert answer.status_code == 202
            assert answer.headers["location"] == f"/api/discoveries/{found['id']}"
            assert (found["identifier"], found["state"]) == ("acme/small", "queued")
            assert (found["base_url"], found["refresh"], found["deep"]) == ("http://127.0.0.1:9/v1", True, True)
            assert len(router.notified) == 1
            (queued,) = discoveries.unfinished(router.service.database)
            assert queued.id == found["id"]
            assert (await router.admin("GET", "/discoveries")).json() == [found]

    asyncio.run(story())


def test_a_key_is_kept_before_the_run_and_not_told_to_it(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            secret = "sk-canary-0123456789"
            answer = await router.admin("POST", "/providers/add", json={"identifier": "acme", "api_key": secret})
            assert secret not in answer.text
            keys = await router.admin("GET", "/keys?provider=acme")
            assert [key["prefix"] for key in keys.json()] == ["sk-ca"]
            assert secret not in keys.text
            assert (await router.admin("GET", "/keys?provider=other")).json() == []
            assert router.service.serving.pool.choose("acme") is not None

    asyncio.run(story())


def test_discover_takes_no_key(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            body = {"identifier": "acme", "api_key": "sk-canary-0123456789"}
            answer = await router.admin("POST", "/discover", json=body)
            assert answer.status_code == 400
            assert "sk-canary" not in answer.text
            assert answer.json()["errors"][0]["field"] == "api_key"
            assert (await router.admin("POST", "/discover", json={"identifier": "acme"})).status_code == 202

    asyncio.run(story())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"identifier": ""},
        {"identifier": "acme", "base_url": "ftp://x/v1"},
        {"identifier": "acme", "base_url": "http:///v1"},
        {"identifier": "acme", "base_url": "http://user:secret@x/v1"},
        {"identifier": "acme", "base_url": "http://x/v1?key=secret"},
        {"identifier": "acme", "base_url": "http://x:99999/v1"},
        {"identifier": "acme", "base_url": "http://x y/v1"},
        {"identifier": "acme", "surprise": 1},
        {"identifier": "acme", "refresh": "perhaps"},
        {"identifier": "acme", "api_key": ""},
        {"identifier": "acme", "api_key": "two words"},
        [],
        "text",
    ],
)
def test_a_body_that_cannot_be_used_is_a_problem_and_queues_nothing(stand: Lasting, body: Any) -> None:
    answer = stand.run(stand.router.admin("POST", "/providers/add", json=body))
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (400, 400)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"]
    assert problem["hint"]
    assert "secret" not in answer.text
    assert discoveries.unfinished(stand.router.service.database) == ()


def test_a_body_too_large_and_one_that_is_no_json(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            large = await router.admin("POST", "/discover", content=b"x" * 70_000)
            assert (large.status_code, large.json()["code"]) == (413, "too-large")
            assert (await router.admin("POST", "/discover", content=b"\xff{")).status_code == 400

    asyncio.run(story())


def test_waiting_answers_when_it_has_ended(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            asking = asyncio.create_task(router.admin("POST", "/providers/add?wait=20", json={"identifier": "acme"}))
            await eventually(lambda: router.notified)
            (queued,) = discoveries.unfinished(router.service.database)
            following = asyncio.create_task(router.admin("GET", f"/discoveries/{queued.id}?wait=20"))
            await end(router, queued.id, version=3)
            answer = await asking
            assert (answer.status_code, answer.json()["version"]) == (200, 3)
            assert (await following).json() == answer.json()

    asyncio.run(story())


def test_waiting_for_what_fails_answers_with_its_problem(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            asking = asyncio.create_task(router.admin("POST", "/discover?wait=20", json={"identifier": "acmee"}))
            await eventually(lambda: router.notified)
            (queued,) = discoveries.unfinished(router.service.database)
            await end(router, queued.id, state=DiscoveryState.FAILED, error=UNKNOWN)
            answer = await asking
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown-identifier")
            assert (answer.json()["nearest"], answer.json()["discovery"]) == (["acme"], queued.id)
            shown = await router.admin("GET", f"/discoveries/{queued.id}")
            assert (shown.status_code, shown.json()["error"]["code"]) == (200, "unknown-identifier")

    asyncio.run(story())


def test_waiting_ends_with_the_time_or_with_the_service(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            answer = await router.admin("POST", "/discover?wait=0.1", json={"identifier": "acme"})
            assert (answer.status_code, answer.json()["state"]) == (202, "queued")
            asking = asyncio.create_task(router.admin("POST", "/discover?wait=60", json={"identifier": "other"}))
            await eventually(lambda: len(router.notified) == 2)
            assert await router.service.gate.close("draining", 20) == 0
            assert (await asking).status_code == 202

    asyncio.run(story())


@pytest.mark.parametrize("wait", ["soon", "-1", "inf", "nan", ""])
def test_a_wait_that_is_no_time_is_refused(stand: Lasting, wait: str) -> None:
    answer = stand.run(stand.router.admin("POST", f"/discover?wait={wait}", json={"identifier": "acme"}))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
    assert stand.router.notified == []


def test_an_unknown_discovery_and_an_unknown_route_are_problems(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            answer = await router.admin("GET", "/discoveries/nothing")
            assert (answer.status_code, answer.json()["code"]) == (404, "discovery-not-found")
            for method, path in (("GET", "/nothing"), ("GET", "/reload")):
                answer = await router.admin(method, path)
                assert answer.status_code in (404, 405)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["hint"]

    asyncio.run(story())


@pytest.mark.parametrize("field", ["provider", "provider_id"])
def test_a_key_is_added_by_either_name_and_used_at_once(settings: Settings, field: str) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            answer = await router.admin("POST", "/keys/add", json={field: "acme", "api_key": "sk-0123456789"})
            assert answer.status_code == 201
            assert (answer.json()["provider"], answer.json()["origin"]) == ("acme", "api")
            again = await router.admin("POST", "/keys/add", json={field: "acme", "api_key": "sk-0123456789"})
            assert again.json()["id"] == answer.json()["id"]
            assert len((await router.admin("GET", "/keys")).json()) == 1

    asyncio.run(story())


def test_what_is_served_is_listed(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            (provider,) = (await router.admin("GET", "/providers")).json()
            assert (provider["id"], provider["state"], provider["level"]) == ("acme", "active", "live")
            (sdk,) = (await router.admin("GET", "/sdks")).json()
            assert (sdk["provider"], sdk["version"], sdk["active"]) == ("acme", 1, True)

    asyncio.run(story())


def test_a_client_is_downloaded_as_it_was_proved(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            (sdk,) = (await router.admin("GET", "/sdks")).json()
            answer = await router.admin("GET", "/sdks/acme")
            assert hashlib.sha256(answer.content).hexdigest() == sdk["sha256"]
            assert answer.headers["content-disposition"] == 'attachment; filename="acme.py"'
            assert answer.headers["content-type"].startswith("text/x-python")
            assert (answer.headers["x-modelscan-version"], answer.headers["x-modelscan-level"]) == ("1", "live")
            again = await router.http.get(
                "/api/sdks/acme",
                headers={"authorization": f"Bearer {TOKEN}", "if-none-match": answer.headers["etag"]},
            )
            assert (again.status_code, again.content) == (304, b"")

    asyncio.run(story())


def test_a_client_that_is_not_there_or_was_changed_is_not_downloaded(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            absent = await router.admin("GET", "/sdks/acne")
            assert (absent.status_code, absent.json()["nearest"]) == (404, ["acme"])
            (settings.generation.path / "acme.py").write_text("import os")
            assert (await router.admin("GET", "/sdks/acme")).status_code == 200
            with router.service.database.write() as connection:
                connection.execute("DELETE FROM sdk_sources")
            changed = await router.admin("GET", "/sdks/acme")
            assert changed.json()["type"].endswith("generation-refused")

    asyncio.run(story())


def test_the_statistics_count_what_was_flushed(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            for _ in range(3):
                await router.chat("acme/echo", "one two")
            await router.service.flush()
            (row,) = (await router.admin("GET", "/stats?model=echo")).json()
            assert (row["requests"], row["prompt_tokens"], row["completion_tokens"]) == (3, 6, 6)
            assert (await router.admin("GET", "/stats?model=other")).json() == []

    asyncio.run(story())


def test_a_reload_says_what_it_serves(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            version = publish(settings, a_spec("https://api.acme.example/v1"), keep=False)
            loaded = (await router.admin("POST", "/reload")).json()
            entry = {"version": 1, "digest": version.digest, "sha256": version.sha256}
            assert loaded == {"generation": 1, "providers": {"acme": entry}, "problems": []}
            (settings.generation.path / version.path).unlink()
            assert "acme.py" in (await router.admin("POST", "/reload")).json()["problems"][0]
            assert (await router.http.get("/health")).json()["parts"]["registry"]["state"] == "down"

    asyncio.run(story())


def test_generating_again_asks_what_was_asked_before(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            assert (await router.admin("POST", "/sdks/generate", json={"provider": "acme"})).status_code == 404
            publish(settings, a_spec("https://api.acme.example/v1"))
            again = await router.admin("POST", "/sdks/generate", json={"provider": "acme"})
            assert (again.status_code, again.json()["identifier"]) == (202, "acme")
            first = await router.service.discoveries.start(
                Identifier.parse("acme/small"), "http://127.0.0.1:9/v1", refresh=True, deep=True
            )
            publish(settings, a_spec("http://127.0.0.1:9/v1"), discovery_id=first.id)
            again = await router.admin("POST", "/sdks/generate", json={"provider": "acme"})
            found = again.json()
            assert (found["identifier"], found["base_url"]) == ("acme/small", "http://127.0.0.1:9/v1")
            assert (found["refresh"], found["deep"]) == (False, True)

    asyncio.run(story())


def test_a_new_provider_brings_its_variables_key(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings, environ={"ACME_API_KEY": "sk-env-0123456789"}) as router:
            assert (await router.admin("GET", "/keys")).json() == []
            publish(settings, a_spec("https://api.acme.example/v1", auth=Auth(env=("ACME_API_KEY",))))
            await router.admin("POST", "/reload")
            (key,) = (await router.admin("GET", "/keys")).json()
            assert (key["provider"], key["origin"]) == ("acme", "environment")

    asyncio.run(story())


def test_an_api_error_reaches_no_one_without_the_token(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as router:
            answer = await router.http.get("/api/nothing")
            assert answer.status_code == 401

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/api/discoveries", "/v1/models"])
def test_a_fault_of_our_own_is_told_in_the_callers_shape(
    settings: Settings, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with routed(settings) as router:

            async def broken(*_: object) -> None:
                raise LookupError("a bug with sk-canary")

            monkeypatch.setattr(router.service.discoveries, "recent", broken)
            monkeypatch.setattr(router.service.serving, "routing", broken)
            headers = {"authorization": f"Bearer {TOKEN}"}
            answer = await router.http.get(path, headers=headers)
            told = answer.json()
            assert (answer.status_code, told.get("error", told)["code"]) == (500, "error")
            assert "LookupError" in answer.text
            assert "canary" not in answer.text

    asyncio.run(story())
