"""Proves a candidate as far as it can be proved."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.sources.source import SourceRequest
from modelscan.types import ClientSpec, ValidationReport
from modelscan.validation.runner import validate as climb
from tasks.run import Run

__all__ = ["validate"]


@task(name="validate", task_run_name="validate", cache_policy=NO_CACHE, persist_result=False)
async def validate(run: Run, request: SourceRequest, spec: ClientSpec, client: str, test: str) -> ValidationReport:
    """Static, contract, probe, live: the report says which level was reached, and why not a higher one."""
    with run.step("validate") as step:
        report = await climb(
            spec,
            client,
            test,
            sandbox=run.bench.sandbox,
            key=request.key,
            http=run.http,
            reach=True,
            allowed_private=run.bench.settings.discovery.allowed_private_hosts,
        )
        step.detail = f"{report.level}: {_counts(report)}"
        if report.failed:
            step.detail += f"; failed: {', '.join(dict.fromkeys(result.case for result in report.failed))}"
        return report


def _counts(report: ValidationReport) -> str:
    outcomes = [result.outcome for result in report.results]
    skipped = outcomes.count("skipped")
    words = f"{outcomes.count('passed')} of {len(outcomes) - skipped} cases passed"
    return f"{words}, {skipped} not run" if skipped else words
