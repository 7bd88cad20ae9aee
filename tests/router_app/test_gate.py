"""The gate counts who is inside, refuses while closed, and gives running requests their time."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from router_app.gate import Gate, Gated
from tests.router_app.routers import eventually


class Slow:
    """An application whose requests take until they are let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in ("/health", "/reference/v1/models"):
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def client(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://router")


def test_running_requests_finish_while_new_ones_are_told_to_come_back() -> None:
    async def story() -> None:
        app, gate = Slow(), Gate()
        async with client(Gated(app, gate)) as http:
            running = asyncio.create_task(http.post("/v1/chat/completions"))
            await eventually(lambda: gate.running == 1)
            closing = asyncio.create_task(gate.close("draining", 20))
            await gate.closed.wait()
            refused = await http.post("/v1/chat/completions")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["code"] == "service-unavailable"
            problem = await http.get("/api/providers")
            assert (problem.status_code, problem.json()["code"]) == (503, "service-unavailable")
            app.go.set()
            assert (await running).status_code == 200
            assert await closing == 0

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/health", "/reference/v1/models"])
def test_some_paths_are_never_closed(path: str) -> None:
    async def story() -> None:
        gate = Gate()
        await gate.close("restarting", 0.01)
        async with client(Gated(Slow(), gate)) as http:
            assert (await http.get(path)).status_code == 200

    asyncio.run(story())


def test_what_does_not_finish_in_time_is_cancelled() -> None:
    async def story() -> None:
        app, gate = Slow(), Gate()
        async with client(Gated(app, gate)) as http:
            running = asyncio.create_task(http.post("/v1/chat/completions"))
            await eventually(lambda: gate.running == 1)
            assert await gate.close("draining", 0.01) == 1
            assert (app.cancelled, gate.running) == (1, 0)
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(story())


def test_it_opens_again() -> None:
    async def story() -> None:
        app, gate = Slow(), Gate()
        app.go.set()
        await gate.close("restarting", 0.01)
        gate.open()
        assert not gate.closed.is_set()
        async with client(Gated(app, gate)) as http:
            assert (await http.get("/v1/models")).status_code == 200

    asyncio.run(story())
