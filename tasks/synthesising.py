"""From evidence to the next specification to try."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.types import Attempt, ClientSpec
from tasks.run import Run

__all__ = ["synthesise"]


@task(name="synthesise", task_run_name="synthesise", cache_policy=NO_CACHE, persist_result=False)
async def synthesise(run: Run, evidence: Evidence, attempts: Sequence[Attempt]) -> tuple[ClientSpec, str] | None:
    """The best hypothesis that was not tried yet, by rules."""
    with run.step("synthesise") as step:
        proposal = propose(evidence, attempts)
        step.detail = proposal.words if proposal else "nothing new to propose"
        return proposal
