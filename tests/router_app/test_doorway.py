"""The port is answered before the application is there."""

import asyncio

import httpx2
from starlette.responses import PlainTextResponse

from router_app.doorway import Doorway
from tests.router_app.routers import eventually


def client(doorway: Doorway) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(doorway), base_url="http://router")


def test_health_answers_at_once_and_the_rest_waits() -> None:
    async def story() -> None:
        doorway = Doorway()
        async with client(doorway) as http:
            waiting = asyncio.create_task(http.get("/v1/models"))
            assert (await http.get("/health")).json()["status"] == "starting"
            await eventually(lambda: doorway._there._waiters)
            doorway.lead_to(PlainTextResponse("the application"))
            assert (await waiting).text == "the application"
            assert (await http.get("/health")).text == "the application"

    asyncio.run(story())


def test_who_waits_too_long_is_told_to_come_back() -> None:
    async def story() -> None:
        async with client(Doorway(seconds=0.01)) as http:
            answer = await http.get("/v1/models")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service-unavailable")
            assert answer.headers["retry-after"] == "1"

    asyncio.run(story())
