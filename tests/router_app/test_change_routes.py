"""Changes over the admin API: listed in pages, streamed, and judged by whoever may."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2

from modelscan.catalog import drift, drift_outbox, prices, records
from modelscan.catalog.database import Database
from modelscan.catalog.forgetting import forget_history
from modelscan.settings import DriftSettings, Settings
from modelscan.types import DriftEvent, DriftKind, DriftState, Fact, utc_now
from router_app.event_stream import EventStream
from tests.catalog.samples import record
from tests.drift.looks import change
from tests.router_app.routers import TOKEN, Router, eventually, routed_to_reference

MOVED = change("https://a.test", "https://b.test", kind=DriftKind.BASE_URL, field="base_url", model=None)


def stored(router: Router, *events: DriftEvent) -> list[str]:
    return [one.id for one in drift.record(Database(router.settings.database_path), events)]


async def ids(router: Router, path: str) -> list[str]:
    return [one["id"] for one in (await router.admin("GET", path)).json()]


def test_changes_are_listed_by_what_is_asked_and_in_pages(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            one, two, three = stored(router, change(), MOVED, change(provider="bolt", state=DriftState.APPLIED))
            assert await ids(router, "/changes") == [three, two, one]
            assert await ids(router, "/changes?kind=base_url,limit") == [two]
            assert await ids(router, "/changes?provider=acme&state=held&kind=price") == [one]
            assert await ids(router, "/changes?since=1h") == []
            page = await router.admin("GET", "/changes?limit=2&state=held&state=applied")
            assert page.headers["link"] == f'</api/changes?limit=2&state=held&state=applied&before={two}>; rel="next"'
            following = page.headers["link"].split(">")[0].removeprefix("</api")
            assert await ids(router, following) == [one]
            assert "link" not in (await router.admin("GET", following)).headers
            assert (await router.admin("GET", f"/changes/{two}")).json()["after"] == "https://b.test"

    asyncio.run(story())


WRONG = ("kind=colour", "state=open", "limit=0", "limit=x", "since=once", "colour=red")


def test_what_cannot_be_asked_is_told(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            paths = [
                *(f"/changes?{words}" for words in WRONG),
                *(f"/changes/stream?after={one}" for one in ("x", 2**53)),
            ]
            for path in paths:
                answer = await router.admin("GET", path)
                assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
            unknown = await router.admin("GET", "/changes/0123")
            assert (unknown.status_code, unknown.json()["code"]) == (404, "change-not-found")

    asyncio.run(story())


def test_what_is_approved_has_its_published_provider_discovered_anew(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            held, other = stored(router, MOVED, change("1", "2", kind=DriftKind.LIMIT, provider="bolt"))
            answer = (await router.admin("POST", f"/changes/{held}/approve", json={"reason": "they moved"})).json()
            assert (answer["change"]["state"], answer["change"]["reason"]) == ("approved", "they moved")
            assert answer["change"]["judged_by"] == "admin token"
            assert (answer["discovery"]["identifier"], answer["discovery"]["state"]) == ("acme", "queued")
            assert (await router.admin("POST", f"/changes/{other}/approve")).json()["discovery"] is None
            again = await router.admin("POST", f"/changes/{held}/reject")
            assert (again.status_code, again.json()["code"]) == (409, "not-waiting")

    asyncio.run(story())


def test_what_is_rejected_changes_nothing(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            (held,) = stored(router, MOVED)
            answer = (await router.admin("POST", f"/changes/{held}/reject")).json()
            assert (answer["change"]["state"], answer["discovery"]) == ("rejected", None)
            assert (await router.admin("GET", "/discoveries")).json() == []

    asyncio.run(story())


def test_an_approved_price_counts_from_the_next_request_on(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            database = Database(settings.database_path)
            for amount in ("1", "2"):
                told = record({"input": amount, "output": amount})
                facts = [
                    Fact(subject="acme/echo", field=f"price.{name}", value=amount, record=told.id, confidence=1)
                    for name in ("input_mtok", "output_mtok")
                ]
                records.save(database, [told], facts)
                if amount == "1":
                    await router.admin("POST", "/reload")
            both = [change("1", "2", model="echo", field=f"price.{name}") for name in ("input_mtok", "output_mtok")]
            for held in stored(router, *both):
                await router.admin("POST", f"/changes/{held}/approve")
            await router.chat("acme/echo", "one two")
            (newest,) = prices.newest(database, "acme")
            assert str(newest.tariff.input_mtok) == "2"
            assert router.usage()[-1]["price_id"] == newest.id

    asyncio.run(story())


def test_with_a_webhook_the_verdict_is_told_as_well(settings: Settings) -> None:
    async def story() -> None:
        hooked = settings.model_copy(update={"drift": DriftSettings(webhook_url="https://ops.example.test/hook")})
        async with routed_to_reference(hooked) as router:
            (held,) = stored(router, MOVED)
            await router.admin("POST", f"/changes/{held}/reject")
            assert drift_outbox.counts(Database(settings.database_path)) == {"waiting": 1}

    asyncio.run(story())


def test_a_token_that_may_only_look_reads_and_streams_and_judges_nothing(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            (held,) = stored(router, MOVED)
            issued = (await router.admin("POST", "/tokens", json={"name": "eve", "role": "read-only"})).json()
            looking = {"authorization": f"Bearer {issued['token']}"}
            assert (await router.http.get("/api/changes", headers=looking)).status_code == 200
            assert (await router.http.post(f"/api/changes/{held}/approve", headers=looking)).status_code == 403
            assert (await router.http.get("/api/changes")).status_code == 401
            assert (await router.http.get("/api/changes/stream")).status_code == 401
            async with router.http.stream("GET", "/api/changes/stream?after=0", headers=looking) as answer:
                assert [one async for one in first(answer, 1)] == [(1, held, "held")]

    asyncio.run(story())


async def first(answer: httpx2.Response, count: int) -> AsyncIterator[tuple[int, str, str]]:
    """(number, change, state) of the first events."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        fields[name] = value
        if not line and fields.get("event") == "change":
            told = json.loads(fields["data"])
            assert told["seq"] == int(fields["id"])
            yield told["seq"], told["event"]["id"], told["event"]["state"]
            count -= 1
            fields = {}
            if not count:
                return


def test_the_stream_goes_on_behind_the_last_event_that_was_had(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            held, other = stored(router, MOVED, change())
            admin = {"authorization": f"Bearer {TOKEN}"}
            async with router.http.stream(
                "GET", "/api/changes/stream", headers={**admin, "last-event-id": "1"}
            ) as answer:
                events = first(answer, 2)
                assert await anext(events) == (2, other, "held")
                await router.admin("POST", f"/changes/{held}/approve")
                assert await anext(events) == (3, held, "approved")
            await eventually(lambda: not router.service.change_feed.listening)

    asyncio.run(story())


def test_who_comes_back_behind_lines_that_are_kept_no_longer_is_told_of_the_gap(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            _, _, last = stored(router, MOVED, change(), change(model="large"))
            forget_history(Database(settings.database_path), utc_now() + timedelta(days=1))
            admin = {"authorization": f"Bearer {TOKEN}"}
            for had, begins in (("0", "gap"), ("1", "gap"), ("2", "change")):
                headers = {**admin, "last-event-id": had}
                async with router.http.stream("GET", "/api/changes/stream", headers=headers) as answer:
                    told = [line async for line in lines(answer, 3)]
                assert told[:2] == [f"id: {2 if begins == 'gap' else 3}", f"event: {begins}"]
                data = json.loads(told[2].removeprefix("data: "))
                if begins == "gap":
                    assert (data["after"], data["next"]) == (int(had), 3)
                else:
                    assert data["event"]["id"] == last

    asyncio.run(story())


async def lines(answer: httpx2.Response, count: int) -> AsyncIterator[str]:
    """The first lines of the first event."""
    async for line in answer.aiter_lines():
        if line and not line.startswith("retry"):
            yield line
            count -= 1
        if not count:
            return


def test_a_stream_ends_as_the_service_restarts(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            assert (
                (await router.admin("HEAD", "/changes/stream")).headers["content-type"].startswith("text/event-stream")
            )
            admin = {"authorization": f"Bearer {TOKEN}"}
            async with router.http.stream("GET", "/api/changes/stream", headers=admin) as answer:
                await router.admin("POST", "/restart")
                async with asyncio.timeout(10):
                    assert await answer.aread() == b"retry: 2000\n\n"

    asyncio.run(story())


def test_a_caller_who_reads_nothing_is_let_go_of() -> None:
    ended: list[str] = []

    async def texts() -> AsyncIterator[str]:
        while True:
            yield "data: x\n\n"

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def story() -> None:
        stream = EventStream(texts(), lambda: ended.append("over"), patience=0.01)
        await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    asyncio.run(story())
    assert ended == ["over"]
