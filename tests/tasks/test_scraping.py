"""How a run asks one source: from the catalogue or anew, again after a fault of the transport, and what it keeps."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from modelscan.catalog import records
from modelscan.errors import SourceUnavailable
from modelscan.sources.source import SourceRequest
from modelscan.synthesis.evidence import Evidence
from modelscan.types import DiscoveryStep
from tasks import logs, scraping
from tasks.run import Run
from tasks.scraping import remember, scrape_task
from tests.sources.asking import Handler, answered, fixture


def asked(run: Run, handler: Handler, *, refresh: bool = False, name: str = "models.dev") -> tuple[Any, DiscoveryStep]:
    """What the task of one source gives, without Prefect, and the step that it told."""
    run = replace(run, discovery=run.discovery.model_copy(update={"refresh": refresh}))

    async def story() -> Any:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as http:
            request = SourceRequest(identifier=run.identifier, http=http, settings=run.bench.settings.discovery)
            state = await scrape_task.fn(run, request, name)
            return state.name, await state.aresult(), (await run.telling.written()).steps[-1]

    name, found, step = asyncio.run(story())
    return (name, found), step


def usual(_: httpx2.Request) -> httpx2.Response:
    return answered(200, fixture("models_dev/usual.json"))


def cut(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("cut")


def test_the_second_time_the_catalogue_answers_and_the_step_says_so(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logs.__name__)
    (state, found), step = asked(run, usual)
    assert (state, step.state) == ("Completed", "done")
    assert "cache miss" in step.detail
    evidence = Evidence(identifier=run.identifier, records=(found.record,))
    asyncio.run(remember(run, evidence))
    (state, again), step = asked(run, cut)
    assert (state, step.state) == ("Cached", "cached")
    assert again.record.id == found.record.id
    assert [record.getMessage() for record in caplog.records] == [
        f"scrape models.dev: {found.said}",
        f"scrape models.dev: {again.said}",
    ]


def test_a_refresh_passes_the_catalogue_by(run: Run) -> None:
    (_, found), _ = asked(run, usual)
    asyncio.run(remember(run, Evidence(identifier=run.identifier, records=(found.record,))))
    (state, _), step = asked(run, usual, refresh=True)
    assert (state, step.state) == ("Completed", "done")
    assert "cache passed by" in step.detail


def test_what_is_remembered_twice_is_there_once(run: Run) -> None:
    (_, found), _ = asked(run, usual)
    evidence = Evidence(identifier=run.identifier, records=(found.record,))
    for _ in range(2):
        asyncio.run(remember(run, evidence))
    kept = records.facts_of(run.bench.database, "acme")
    assert len({(fact.subject, fact.field) for fact in kept}) == len(kept) > 10


@pytest.mark.parametrize(
    ("handler", "again"),
    [(cut, True), (lambda _: answered(503, {}), False), (lambda _: answered(404, {}), False), (usual, False)],
)
@pytest.mark.parametrize("name", ["models.dev", "genai-prices"])
def test_only_a_fault_of_the_transport_is_tried_again(
    run: Run, handler: Handler, again: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scraping, "_may_try_again", lambda: True)
    if again:
        with pytest.raises(SourceUnavailable):
            asked(run, handler, name=name)
    else:
        assert asked(run, handler, name=name)[1].state == "done"


def test_a_fault_that_took_long_is_not_tried_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "_may_try_again", lambda: True)
    monkeypatch.setattr(scraping, "_QUICK_SECONDS", 0.0)
    assert asked(run, cut)[1].state == "done"


def test_outside_of_a_task_run_nothing_is_tried_again(run: Run) -> None:
    (_, found), step = asked(run, cut)
    assert found.gap.kind == "unknown"
    assert "stale snapshot" in step.detail
    assert "cut" in step.detail
