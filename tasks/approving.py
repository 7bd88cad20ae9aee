"""Holds what was proved until the operator approves it: the run is suspended meanwhile, and occupies nobody."""

from datetime import timedelta
from typing import Any, NamedTuple

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput

from modelscan.catalog import approvals, discoveries, drift
from modelscan.clients.registry import Served
from modelscan.drift.blocking import blocked
from modelscan.errors import CandidateRefused, GenerationRefused, NotWaiting
from modelscan.synthesis.changes import changes_between
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Candidate, ClientSpec, Discovery, DiscoveryState, DriftEvent
from modelscan.validation.repair import Repaired, Sources
from tasks.publishing import served
from tasks.reporting import table
from tasks.run import Run

__all__ = ["Proved", "approved", "held", "hold"]

_PATIENCE = timedelta(days=3650)
"""Prefect fails a run whose pause is over; a candidate waits as long as it has to."""
_KEY = "approval"


class Approval(RunInput):
    """What the Prefect UI asks for when the run is resumed."""

    approve: bool = False
    reason: str = ""


class Proved(NamedTuple):
    """What a run publishes and reports on."""

    repaired: Repaired
    evidence: Evidence


async def hold(run: Run, proved: Proved) -> Candidate | None:
    """Keep the candidate in the catalogue, where the API and the command line show it.

    None where it may be published at once: it need not be approved, or says what is served already. A candidate that
    would bring a change which is held, or was rejected, must be approved in any case.
    """
    repaired, evidence = proved
    before = await run.catalogue(served, run, repaired.spec.provider)
    same = before is not None and before.version.digest == repaired.spec.digest
    changes = await _withheld(run, before, repaired.spec)
    if same or (run.bench.settings.discovery.activation == "automatic" and not changes):
        await run.catalogue(approvals.supersede, repaired.spec.provider, run.discovery.id)
        return None
    candidate = Candidate(
        spec=repaired.spec,
        digest=repaired.spec.digest,
        client=repaired.sources.client,
        test=repaired.sources.test,
        report=repaired.report,
        attempts=repaired.attempts,
        records=evidence.records,
        gaps=evidence.gaps,
        changes=changes_between(before.spec if before else None, repaired.spec),
    )
    with run.step("hold") as step:
        step.detail = f"waits for approval: modelscan approvals show {run.discovery.id}"
        if changes:
            step.detail += f"; changes that are held: {', '.join(one.id for one in changes)} (modelscan changes)"
    await run.telling.written()
    await run.catalogue(approvals.hold, run.discovery.id, candidate)
    return candidate


async def _withheld(run: Run, before: Served | None, spec: ClientSpec) -> tuple[DriftEvent, ...]:
    """What it would bring though the operator did not approve it; nothing where the operator named the server."""
    if run.discovery.base_url:
        return ()
    return blocked(before.spec if before else None, spec, await run.catalogue(drift.withheld, spec.provider))


async def held(run: Run) -> Candidate | None:
    """What this run held before it was suspended; None in a run that has only begun."""
    return await run.catalogue(approvals.candidate_of, run.discovery.id) if run.discovery.digest else None


async def approved(run: Run, candidate: Candidate) -> Proved:
    """What may be published now. Suspends the run until there is a verdict; raises CandidateRefused."""
    found: Discovery = await run.catalogue(discoveries.get, run.discovery.id)
    if found.state is DiscoveryState.WAITING:
        said = await _asked(candidate)
        try:
            found = await run.catalogue(
                approvals.judge, run.discovery.id, approved=said.approve, reason=said.reason, told=True
            )
        except NotWaiting:  # The API was quicker.
            found = await run.catalogue(discoveries.get, run.discovery.id)
    if found.verdict is None or not found.verdict.approved:
        raise CandidateRefused(
            found.error.message if found.error else f"The candidate for {found.identifier} was not approved.",
            hint=f"Discover it anew: modelscan add {found.identifier}",
        )
    if candidate.spec.digest != candidate.digest:
        raise GenerationRefused(
            f"The candidate for {found.identifier} is not the one that was validated.",
            hint=f"Discover it anew: modelscan add {found.identifier}",
        )
    await _approve_changes(run, candidate, found.verdict.actor)
    run.telling.change(state=DiscoveryState.RUNNING)
    sources = Sources(candidate.client, candidate.test)
    repaired = Repaired(candidate.spec, sources, candidate.report, candidate.attempts)
    return Proved(repaired, Evidence(identifier=run.identifier, records=candidate.records, gaps=candidate.gaps))


async def _approve_changes(run: Run, candidate: Candidate, actor: str) -> None:
    """Who approves the candidate approves what it brings."""
    before = await run.catalogue(served, run, candidate.spec.provider)
    for change in await _withheld(run, before, candidate.spec):
        reason = f"approved with discovery {run.discovery.id}"
        await run.catalogue(drift.judge, change.id, approved=True, reason=reason, actor=actor or None)


async def _asked(candidate: Candidate) -> Approval:
    """What the UI was told; where nobody was asked yet, this raises Prefect's Pause, and the run ends for now."""
    rows = ((one.field, one.before, one.after) for one in candidate.changes)
    words = f"Publish {candidate.spec.provider}, proved to level {candidate.report.level}?"
    text = f"{words}\n\n{table(('field', 'before', 'after'), rows) or 'Nothing changes.'}"
    asked: Any = Approval.with_initial_data(description=text, approve=False, reason="")
    said: Approval = await suspend_flow_run(wait_for_input=asked, timeout=int(_PATIENCE.total_seconds()), key=_KEY)
    return said
