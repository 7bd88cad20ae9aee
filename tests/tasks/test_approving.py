"""What must be approved is held; exactly that is published, and nothing that was refused."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from prefect.exceptions import Pause
from prefect.states import Suspended

from modelscan.catalog import approvals, discoveries, drift
from modelscan.codegen.render import render_client, render_test
from modelscan.errors import CandidateRefused, GenerationRefused
from modelscan.settings import Settings
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Candidate, ClientSpec, DriftKind, DriftState, Identifier, Level, ValidationReport
from modelscan.validation.repair import Repaired, Sources
from tasks import approving
from tasks.approving import Approval, Proved, approved, held, hold
from tasks.publishing import publish
from tasks.run import Run
from tests.drift.looks import change
from tests.validation.specs import a_spec


def proved(spec: ClientSpec) -> Proved:
    sources = Sources(render_client(spec, ()), render_test(spec))
    repaired = Repaired(spec, sources, ValidationReport(level=Level.LIVE), ())
    return Proved(repaired, Evidence(identifier=Identifier.parse(spec.provider), records=()))


@pytest.fixture
def asking(run: Run, settings: Settings) -> Run:
    """A run whose results must be approved."""
    discovery = settings.discovery.model_copy(update={"activation": "approve"})
    bench = replace(run.bench, settings=settings.model_copy(update={"discovery": discovery}))
    return replace(run, bench=bench)


def held_by(run: Run, spec: ClientSpec | None = None) -> Candidate:
    candidate = asyncio.run(hold(run, proved(spec or a_spec())))
    assert candidate
    return candidate


def answering(monkeypatch: pytest.MonkeyPatch, answer: Approval | Exception | None) -> list[dict[str, Any]]:
    """Prefect's UI answers so; None: it has not answered yet. What it was asked is in the list."""
    asked: list[dict[str, Any]] = []

    async def suspend(**named: Any) -> Approval:
        asked.append(named)
        if answer is None:
            raise Pause(state=Suspended())
        assert isinstance(answer, Approval)
        return answer

    monkeypatch.setattr(approving, "suspend_flow_run", suspend)
    return asked


def test_what_need_not_be_approved_is_not_held_and_refuses_what_waits(run: Run) -> None:
    assert asyncio.run(hold(run, proved(a_spec()))) is None
    assert discoveries.get(run.bench.database, "d1").state == "queued"


def test_what_must_be_approved_waits_with_its_changes(asking: Run) -> None:
    candidate = held_by(asking)
    found = discoveries.get(asking.bench.database, "d1")
    assert (found.state, found.digest) == ("waiting", candidate.spec.digest)
    assert {one.field for one in found.changes} >= {"base_url", "protocol", "models.added"}
    assert [step.name for step in found.steps] == ["hold"]
    assert "modelscan approvals show d1" in found.steps[0].detail


def test_what_is_served_already_need_not_be_approved_again(asking: Run) -> None:
    async def story() -> None:
        await publish.fn(asking, proved(a_spec()).repaired)
        assert await hold(asking, proved(a_spec())) is None
        candidate = await hold(asking, proved(a_spec(name="Other")))
        assert candidate
        assert [one.field for one in candidate.changes] == ["name"]

    asyncio.run(story())


def test_a_run_finds_what_it_held(asking: Run) -> None:
    assert asyncio.run(held(asking)) is None
    candidate = held_by(asking)
    again = replace(asking, discovery=discoveries.get(asking.bench.database, "d1"))
    assert asyncio.run(held(again)) == candidate


def test_the_prefect_ui_shows_the_changes_and_its_answer_is_the_verdict(
    asking: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = held_by(asking)
    asked = answering(monkeypatch, Approval(approve=True, reason="fine"))
    found = asyncio.run(approved(asking, candidate))
    assert found.repaired == proved(a_spec()).repaired
    verdict = discoveries.get(asking.bench.database, "d1").verdict
    assert verdict
    assert (verdict.approved, verdict.reason, verdict.told) == (True, "fine", True)
    assert "| base\\_url | none |" in asked[0]["wait_for_input"]._description
    assert asked[0]["timeout"] > 10**8


def test_without_an_answer_the_run_is_suspended_and_waits_on(asking: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = held_by(asking)
    answering(monkeypatch, None)
    with pytest.raises(Pause):
        asyncio.run(approved(asking, candidate))
    assert discoveries.get(asking.bench.database, "d1").state == "waiting"


def test_what_the_ui_refuses_is_not_published(asking: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = held_by(asking)
    answering(monkeypatch, Approval(reason="no"))
    with pytest.raises(CandidateRefused, match="refused: no"):
        asyncio.run(approved(asking, candidate))


def test_a_verdict_that_came_first_counts(asking: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = held_by(asking)

    async def suspend(**_: Any) -> Approval:  # While the UI's answer is on its way, the API refuses.
        approvals.judge(asking.bench.database, "d1", approved=False, reason="too late")
        return Approval(approve=True)

    monkeypatch.setattr(approving, "suspend_flow_run", suspend)
    with pytest.raises(CandidateRefused, match="too late"):
        asyncio.run(approved(asking, candidate))


def test_what_the_api_approved_is_published_without_asking(asking: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = held_by(asking)
    asked = answering(monkeypatch, None)
    approvals.judge(asking.bench.database, "d1", approved=True)
    assert asyncio.run(approved(asking, candidate)).repaired.spec.digest == candidate.digest
    assert asked == []


def test_a_candidate_that_is_not_the_one_that_was_validated_is_refused(asking: Run) -> None:
    candidate = held_by(asking).model_copy(update={"spec": a_spec(name="Other")})
    approvals.judge(asking.bench.database, "d1", approved=True)
    with pytest.raises(GenerationRefused, match="not the one that was validated"):
        asyncio.run(approved(asking, candidate))


def test_a_held_change_has_its_candidate_wait_and_is_approved_with_it(run: Run) -> None:
    async def story() -> None:
        await publish.fn(run, proved(a_spec()).repaired)
        moved = a_spec(base_url="https://moved.acme.test/v1")
        found = change("old", "new", kind=DriftKind.BASE_URL, field="base_url", model=None, provider=moved.provider)
        (held_change,) = drift.record(run.bench.database, [found])
        candidate = await hold(run, proved(moved))
        assert candidate
        waiting = discoveries.get(run.bench.database, "d1")
        assert held_change.id in waiting.steps[-1].detail
        approvals.judge(run.bench.database, "d1", approved=True)
        await approved(run, candidate)
        judged = drift.get(run.bench.database, held_change.id)
        assert (judged.state, judged.reason) == (DriftState.APPROVED, "approved with discovery d1")
        assert await hold(run, proved(moved)) is None

    asyncio.run(story())


def test_a_held_change_of_a_list_is_nothing_to_a_server_that_the_operator_names(run: Run) -> None:
    async def story() -> None:
        await publish.fn(run, proved(a_spec()).repaired)
        moved = a_spec(base_url="https://own.acme.test/v1")
        found = change("old", "new", kind=DriftKind.BASE_URL, field="base_url", model=None, provider=moved.provider)
        drift.record(run.bench.database, [found])
        own = replace(run, discovery=run.discovery.model_copy(update={"base_url": moved.base_url}))
        assert await hold(own, proved(moved)) is None

    asyncio.run(story())
