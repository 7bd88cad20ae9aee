"""The flow that everything starts: from an identifier to a served answer."""

import asyncio
from functools import partial
from typing import Annotated

from prefect import flow
from pydantic import Field

from modelscan.sources.gather import first_wave, second_wave, with_named_base_url
from modelscan.sources.source import SourceRequest
from modelscan.synthesis.evidence import Evidence
from modelscan.validation.repair import repair
from tasks.approving import Proved, approved, held, hold
from tasks.generating import generate
from tasks.language_models import agent_of
from tasks.publishing import publish, reload
from tasks.reporting import report
from tasks.run import Run, opened
from tasks.scraping import remember, scrape_source
from tasks.synthesising import synthesise
from tasks.validating import validate

__all__ = ["discover_provider"]


@flow(name="discover-provider", flow_run_name="discover {identifier}", persist_result=False)
async def discover_provider(
    identifier: Annotated[str, Field(min_length=1, max_length=256, examples=["deepseek/deepseek-chat"])],
    base_url: Annotated[str | None, Field(max_length=2048, examples=["http://gpu.local:8000/v1"])] = None,
    refresh: bool = False,
    deep: bool = False,
) -> str:
    """Find out how to talk to a model or a provider, prove it, and serve it.

    Args:
        identifier: `provider/model`, such as deepseek/deepseek-chat, or a provider alone.
        base_url: The address of an OpenAI-compatible server of your own, up to and with /v1.
        refresh: Ask the sources anew instead of using their answers of the last days.
        deep: Ask every source, and more of each; without it only what is quick and likely to know.
    """
    async with opened(identifier, base_url, refresh, deep) as run:
        candidate = await held(run)
        if candidate is None:
            proved = await _proved(run)
            candidate = await hold(run, proved)
        if candidate:
            proved = await approved(run, candidate)
        version = await publish(run, proved.repaired)
        generation = await reload(run, version)
        level = proved.repaired.report.level
        ended = await run.succeeded(
            proved.evidence.gaps,
            level=level,
            why_not_higher=proved.repaired.report.why_not_higher,
            version=version.version,
            generation=generation,
        )
    await report(ended, *proved)
    return f"{identifier}: {level}"


async def _proved(run: Run) -> Proved:
    """Ask the sources, and loop until a client of what they say is proved."""
    evidence, request = await _gather(run)
    remembering = asyncio.create_task(remember(run, evidence))
    try:
        repaired = await repair(
            partial(synthesise, run, evidence, await agent_of(run)),
            partial(generate, run, evidence),
            partial(validate, run, request),
            on_attempt=run.telling.attempt,
        )
    finally:
        await remembering
    return Proved(repaired, evidence)


async def _gather(run: Run) -> tuple[Evidence, SourceRequest]:
    """Both waves: the sources that can be asked at once, then the provider itself where it had to be found first."""
    request = await run.request()
    first = await asyncio.gather(*(scrape_source(run, request, source.name) for source in first_wave(request)))
    told = [found.record for found in first if found.record]
    named = with_named_base_url(request, (*told, *run.pins), run.distrusted)
    second = await asyncio.gather(*(scrape_source(run, named, source.name) for source in second_wave(request)))
    found = (*first, *second)
    evidence = Evidence(
        identifier=run.identifier,
        records=(*(one.record for one in found if one.record), *run.pins),
        gaps=tuple(one.gap for one in found if one.gap),
        allowed_private=run.bench.settings.discovery.allowed_private_hosts,
        decisions=run.decisions,
    )
    return evidence, named
