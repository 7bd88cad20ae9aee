"""One task a source."""

import time
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.states import Completed

from modelscan.catalog import records
from modelscan.errors import SourceUnavailable
from modelscan.sources import source_named
from modelscan.sources.gather import Scrape, scrape
from modelscan.sources.http import NOT_REACHED
from modelscan.sources.source import SourceRequest
from modelscan.synthesis.evidence import Evidence, facts_of
from tasks.run import Run

__all__ = ["remember", "scrape_source", "scrape_task"]

_RETRIES = 1
_QUICK_SECONDS = 5.0
"""A fault that took longer would take as long again."""


def _is_transport_fault(_task: object, _run: object, state: State[Any]) -> bool:
    return isinstance(state.data, SourceUnavailable) or "SourceUnavailable" in (state.message or "")


async def scrape_source(run: Run, request: SourceRequest, name: str) -> Scrape:
    """Ask one source, as a task that bears its name."""
    named: Any = scrape_task.with_options(task_run_name=f"scrape {name}")
    state: State[Scrape] = await named(run, request, name, return_state=True)
    found: Scrape = await state.aresult()
    return found


@task(
    name="scrape",
    retries=_RETRIES,
    retry_delay_seconds=0.3,
    retry_condition_fn=_is_transport_fault,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def scrape_task(run: Run, request: SourceRequest, name: str) -> State[Scrape]:
    """The state is called Cached where the answer is the catalogue's, and is tried again after a transport fault."""
    async with run.asking:
        with run.step(f"scrape {name}") as step:
            saved = None if run.discovery.refresh else run.bench.saved
            begun = time.monotonic()
            found = await scrape(source_named(name), request, saved)
            quick = time.monotonic() - begun < _QUICK_SECONDS
            if (fault := _transport_fault(found)) and quick and _may_try_again():
                raise SourceUnavailable(fault)
            step.detail = found.said
            step.state = "cached" if found.cached else "done"
    return Completed(name="Cached" if found.cached else "Completed", message=found.said, data=found)


def _transport_fault(found: Scrape) -> str:
    """Why the source itself could not be asked, also where a snapshot stands in for it; empty where it answered."""
    said = found.gap.reason if found.gap else found.record.note if found.record and found.record.stale else ""
    return said if NOT_REACHED in said else ""


def _may_try_again() -> bool:
    context = TaskRunContext.get()
    return context is not None and context.task_run.run_count <= _RETRIES


async def remember(run: Run, evidence: Evidence) -> None:
    """Store what the sources said, and the facts in it."""
    await run.catalogue(records.save, evidence.records, facts_of(evidence))
