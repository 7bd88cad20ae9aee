"""The runner's process: what it is told on standard input, and how it begins and ends."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest
from pydantic import SecretStr

from flows import runner
from flows.deployments import DEPLOYMENTS
from modelscan.settings import Settings
from tasks.running.forks import Forks


class Client:
    """A Prefect API that takes a while to start."""

    def __init__(self) -> None:
        self.unhealthy = 2

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def api_healthcheck(self) -> Exception | None:
        self.unhealthy -= 1
        return ConnectionError("not yet") if self.unhealthy >= 0 else None


class Supervised:
    """What became of the supervisor."""

    def __init__(self) -> None:
        self.began, self.stopped = asyncio.Event(), False

    def of(self, *_: object) -> "Supervised":
        return self

    async def run(self, _: object) -> None:
        self.began.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.stopped = True


def test_it_waits_for_the_api_and_ends_what_runs_when_it_is_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed: list[object] = []

    async def deploy(*_: object) -> Any:
        return {uuid4(): DEPLOYMENTS[0]}

    async def crash(*rows: object) -> None:
        crashed.append(rows)

    async def story() -> None:
        supervised = Supervised()
        for name, fake in {
            "get_client": Client,
            "deploy": deploy,
            "settle_leftovers": crash,
            "Supervisor": supervised.of,
            "guarded_settings": Settings,
            "_POLL_SECONDS": 0.01,
        }.items():
            monkeypatch.setattr(runner, name, fake)
        serving = asyncio.create_task(runner._serve(asyncio.Event(), DEPLOYMENTS, cast("Forks", None)))
        async with asyncio.timeout(20):
            await supervised.began.wait()
        assert not supervised.stopped
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert supervised.stopped

    asyncio.run(story())
    assert len(crashed) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == '{"state": "starting", "detail": "waiting for the Prefect API (ConnectionError)"}'
    assert said[-1] == '{"state": "ready", "deployments": ["discover-provider"]}'


def test_what_comes_on_standard_input_wakes_it_renews_its_master_key_and_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = [b"wake\nmaster on", b"e\nmaster two\n", b""]
    taken: list[SecretStr] = []
    monkeypatch.setattr("os.read", lambda *_: said.pop(0))

    async def story() -> None:
        wake, stop = asyncio.Event(), asyncio.Event()
        runner._listen(asyncio.get_running_loop(), wake.set, stop.set, taken.append)
        async with asyncio.timeout(10):
            await stop.wait()
        assert wake.is_set()

    asyncio.run(story())
    assert taken == [SecretStr("one"), SecretStr("two")]
