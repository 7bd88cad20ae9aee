"""From a specification to source code: the test first, then the client."""

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.codegen.render import render_client, render_test
from modelscan.synthesis.evidence import Evidence
from modelscan.types import ClientSpec
from modelscan.wire.cases import derive
from tasks.run import Run

__all__ = ["generate"]


@task(name="generate", task_run_name="generate", cache_policy=NO_CACHE, persist_result=False)
async def generate(run: Run, evidence: Evidence, spec: ClientSpec) -> tuple[str, str]:
    """(client, test): the test is written from the specification before the client exists."""
    with run.step("generate") as step:
        cited = [record for record in evidence.records if record.id in spec.evidence.values()]
        test = await asyncio.to_thread(render_test, spec)
        client = await asyncio.to_thread(render_client, spec, cited)
        step.detail = f"test of {len(derive(spec))} cases, then the client; models: {len(spec.models)}"
        return client, test
