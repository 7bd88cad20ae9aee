"""Faults of our own: each is answered or broken off, and leaves its row."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from modelscan.settings import Settings
from modelscan.types import utc_now
from tests.router_app.routers import routed_to_reference


class Failing:
    """An upstream that fails in its own ways."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def send(self, *_: object, **__: object) -> Any:
        raise self._error

    async def aclose(self) -> None:
        """Nothing is held."""


def test_a_fault_of_our_own_is_answered_and_leaves_a_row(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            before, router.service.serving.upstream = router.service.serving.upstream, Failing(LookupError("a bug"))
            answer = await router.chat("echo")
            router.service.serving.upstream = before
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "error")
            assert "a bug" not in answer.text
            assert (router.usage()[0]["status"], router.usage()[0]["error_code"]) == (500, "error")

    asyncio.run(story())


class Faltering:
    """An upstream whose answers begin well and end in a bug of ours."""

    status = 200
    headers = ((b"content-type", b"text/event-stream"),)
    said = False

    async def send(self, *_: object, **__: object) -> "Faltering":
        return self

    def whole(self) -> None:
        """It comes piece by piece."""

    async def begun(self) -> None:
        """At once."""

    async def read(self) -> bytes:
        if self.said:
            raise LookupError("a bug")
        self.said = True
        return b"data: {}\n\n"

    async def aclose(self) -> None:
        """Nothing is held."""


def test_an_answer_that_has_begun_and_meets_a_fault_of_ours_is_broken_off(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            before, router.service.serving.upstream = router.service.serving.upstream, Faltering()
            with pytest.raises(httpx2.RemoteProtocolError):
                await router.chat("echo", stream=True)
            router.service.serving.upstream = before
            assert (router.usage()[0]["status"], router.usage()[0]["error_code"]) == (200, "error")

    asyncio.run(story())


def test_a_journal_that_cannot_be_written_costs_the_row_and_not_the_answer(settings: Settings) -> None:
    class Full:
        def append(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    async def story() -> None:
        async with routed_to_reference(settings) as router:
            router.service.serving._journal = Full()  # type: ignore[assignment]
            assert (await router.chat("echo")).status_code == 200
            health = (await router.http.get("/health")).json()
            assert health["parts"]["journal"]["state"] == "down"
            assert health["status"] == "degraded"

    asyncio.run(story())


@pytest.mark.parametrize("upstream", [Failing(LookupError("a bug")), Faltering()])
def test_whatever_fails_a_token_has_back_what_was_held(settings: Settings, upstream: Any) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            terms = {"concurrency": 1, "daily_tokens": 5_000}
            issued = (await router.admin("POST", "/tokens", json={"name": "app", "terms": terms})).json()
            before, router.service.serving.upstream = router.service.serving.upstream, upstream
            with suppress(httpx2.RemoteProtocolError):
                assert (await router.chat("echo", token=issued["token"], stream=True)).status_code == 500
            router.service.serving.upstream = before
            account = router.service.serving.door.book.of(issued["id"])
            assert account is not None
            assert [use.held for use in account.uses(utc_now().timestamp())] == [0, 0]
            assert account.running == 0

    asyncio.run(story())
