"""From evidence to the next specification to try."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.synthesis.agent import Agent
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.synthesise import how
from modelscan.synthesis.synthesise import synthesise as proposed
from modelscan.types import Attempt, ClientSpec
from tasks.run import Run

__all__ = ["synthesise"]


@task(name="synthesise", task_run_name="synthesise", cache_policy=NO_CACHE, persist_result=False)
async def synthesise(
    run: Run, evidence: Evidence, agent: Agent, attempts: Sequence[Attempt]
) -> tuple[ClientSpec, str] | None:
    """The best hypothesis that was not tried yet: by rules, and by a language model where they do not suffice."""
    with run.step("synthesise") as step:
        try:
            proposal = await proposed(evidence, attempts, agent)
        finally:
            run.telling.change(calls=tuple(agent.calls), synthesis=how(agent))
        step.detail = f"{proposal.words if proposal else 'nothing new to propose'}; {how(agent)}"
        return proposal
