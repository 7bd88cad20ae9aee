"""The service in one process: what begins with it, what ends with it, and a dispatcher that must not stay dead."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from modelscan.catalog import discoveries
from modelscan.catalog.database import Database
from modelscan.reference import create_reference, serve
from modelscan.settings import Settings
from router_app import process
from router_app.dispatch import Dispatcher
from router_app.gate import Gate
from tests.router_app.routers import TOKEN, a_spec, chat_body, eventually, publish


@dataclass
class Alone:
    """Companions that start nothing; the Prefect API never comes."""

    calls: list[str] = field(default_factory=list)
    api_url: str = ""

    def start(self) -> None:
        self.calls.append("start")

    def wake(self) -> None:
        self.calls.append("wake")

    async def stop(self) -> None:
        self.calls.append("stop")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Alone:
    found = Alone()
    monkeypatch.setattr(process, "Companions", lambda *_, **__: found)
    monkeypatch.setattr(process, "_AGAIN_SECONDS", 0.01)
    return found


@asynccontextmanager
async def running(
    settings: Settings, gate: Gate, url: str = "http://127.0.0.1:1", tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Any]:
    async with process.running(settings, {}, gate=gate, url=url, token=TOKEN, tell=tell) as app:
        yield app


def test_what_begins_with_it_ends_with_it(settings: Settings, alone: Alone) -> None:
    async def story() -> None:
        gate = Gate()
        async with running(settings, gate) as app, httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
            assert (await http.get("http://router/health")).status_code == 200
        assert (alone.calls, gate.state) == (["start", "stop"], "draining")

    asyncio.run(story())


def test_it_says_that_a_token_is_needed_once_one_was_issued(settings: Settings, alone: Alone) -> None:
    said: list[str] = []

    async def story(done: Callable[[httpx2.AsyncClient], Awaitable[object]]) -> None:
        async with (
            running(settings, Gate(), tell=said.append) as app,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http,
        ):
            await done(http)

    async def issue(http: httpx2.AsyncClient) -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        issued = await http.post("/api/tokens", json={"name": "app"}, headers=headers)
        assert issued.status_code == 201
        assert said == []

    asyncio.run(story(issue))
    asyncio.run(story(lambda _: eventually(lambda: any("needs one" in line for line in said))))


def test_a_request_that_does_not_end_is_cancelled_and_said(
    settings: Settings, alone: Alone, caplog: pytest.LogCaptureFixture
) -> None:
    server = settings.server.model_copy(update={"drain_seconds": 0.05})
    quick = settings.model_copy(update={"server": server})

    async def story() -> None:
        async with serve(create_reference(models=("echo",))) as origin:
            publish(quick, a_spec(f"{origin}/v1"))
            gate = Gate()
            async with running(quick, gate) as app:
                body = chat_body("acme/echo", reference_fault="slow:60")
                http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost")
                asked = asyncio.create_task(http.post("/v1/chat/completions", json=body, timeout=60))
                await eventually(lambda: gate.running == 1)
            await asyncio.gather(asked, return_exceptions=True)
            await http.aclose()

    asyncio.run(story())
    assert "1 requests did not finish in 0.05 s" in caplog.text


def test_the_demo_is_asked_for_again_where_it_listens_elsewhere_now(settings: Settings, alone: Alone) -> None:
    publish(settings, a_spec("http://127.0.0.1:1/reference/v1", "demo"))

    def asked_for() -> list[str]:
        return [run.identifier for run in discoveries.recent(Database(settings.database_path))]

    async def story(url: str) -> None:
        async with (
            running(settings, Gate(), url) as app,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http,
        ):
            await eventually(lambda: asked_for() or url.endswith(":1"))
            assert (await http.get("http://localhost/v1/models")).status_code == 200

    asyncio.run(story("http://127.0.0.1:1"))
    assert asked_for() == []
    asyncio.run(story("http://127.0.0.1:2"))
    assert asked_for() == ["demo/echo"]


def test_a_dispatcher_that_fails_begins_anew(
    settings: Settings, alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    async def run(_self: object) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("boom")
        await asyncio.Event().wait()

    monkeypatch.setattr(Dispatcher, "run", run)

    async def story() -> None:
        async with running(settings, Gate()):
            await eventually(lambda: len(runs) == 2)

    asyncio.run(story())
    assert "begins anew: boom" in caplog.text
