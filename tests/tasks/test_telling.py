"""What a run tells is written beside it, in as few transactions as it takes, and none of it is lost."""

import asyncio

import pytest

from modelscan.catalog import discoveries
from modelscan.errors import CatalogBusy
from modelscan.types import Attempt, Discovery, DiscoveryStep, Level, ValidationReport, utc_now
from tasks.bench import Bench
from tasks.telling import Telling

RUN = Discovery(id="d", identifier="acme/small", created_at=utc_now())


@pytest.fixture
def telling(bench: Bench) -> Telling:
    discoveries.create(bench.database, RUN)
    return Telling(bench.database, RUN)


def a_step(telling: Telling, name: str = "scrape", **more: object) -> DiscoveryStep:
    fields = {"seq": telling.number(), "name": name, "state": "running", "started_at": utc_now()}
    return DiscoveryStep.model_validate({**fields, **more})


def an_attempt(number: int) -> Attempt:
    return Attempt(number=number, proposal="p", spec_digest=str(number), report=ValidationReport(level=Level.NONE))


def test_what_waits_is_written_in_one_transaction(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    real = discoveries.update

    def update(*arguments: object, **changes: object) -> Discovery:
        written.append(1)
        return real(*arguments, **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(discoveries, "update", update)

    async def story() -> None:
        for _ in range(20):
            telling.step(a_step(telling))
        telling.attempt(an_attempt(1))
        telling.attempt(an_attempt(2))
        found = await telling.written()
        assert found == discoveries.get(telling.database, "d")
        assert ([step.seq for step in found.steps], len(found.attempts)) == (list(range(1, 21)), 2)

    asyncio.run(story())
    assert len(written) == 1


def test_what_is_told_meanwhile_is_written_too(telling: Telling) -> None:
    async def story() -> None:
        first = a_step(telling)
        telling.step(first)
        await asyncio.sleep(0)
        telling.step(first.model_copy(update={"state": "done", "ended_at": utc_now()}))
        telling.step(a_step(telling, "validate"))
        found = await telling.written()
        assert [(step.name, step.state) for step in found.steps] == [("scrape", "done"), ("validate", "running")]
        assert await telling.written() == found

    asyncio.run(story())


def test_what_could_not_be_written_is_raised_and_tried_again(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        with monkeypatch.context() as busy:
            busy.setattr(discoveries, "update", lambda *_, **__: _busy())
            telling.step(a_step(telling))
            telling.change(level=Level.LIVE)
            with pytest.raises(CatalogBusy):
                await telling.written()
        found = await telling.written()
        assert ([step.name for step in found.steps], found.level) == (["scrape"], Level.LIVE)

    asyncio.run(story())


def _busy() -> None:
    raise CatalogBusy("The catalogue is held.")
