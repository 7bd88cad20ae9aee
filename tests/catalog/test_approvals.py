"""A candidate waits, is judged once, and gives way to a newer one of its provider."""

import pytest

from modelscan.catalog import approvals, discoveries
from modelscan.catalog.database import Database
from modelscan.errors import DiscoveryNotFound, NotWaiting
from modelscan.types import Candidate, Change, Discovery, SourceGap, utc_now
from tests.catalog.samples import record, report, spec

CHANGE = Change(field="name", before="none", after="Acme")


def candidate(provider: str = "acme") -> Candidate:
    stated = spec(provider=provider)
    return Candidate(
        spec=stated,
        digest=stated.digest,
        client="SPEC = {}",
        test="def test(): ...",
        report=report(),
        attempts=(),
        records=(record(),),
        gaps=(SourceGap(source="provider", kind="unreachable", reason="no answer"),),
        changes=(CHANGE,),
    )


def hold(database: Database, name: str = "d1", provider: str = "acme") -> Discovery:
    run = Discovery(id=name, identifier=f"{provider}/small", created_at=utc_now(), flow_run_id=f"run-{name}")
    discoveries.create(database, run)
    return approvals.hold(database, name, candidate(provider))


def test_a_held_candidate_waits_with_its_changes_and_comes_back_as_it_was(database: Database) -> None:
    found = hold(database)
    assert (found.state, found.at_rest, found.ended) == ("waiting", True, False)
    assert (found.changes, found.level, len(found.gaps)) == ((CHANGE,), "contract", 1)
    kept = approvals.candidate_of(database, "d1")
    assert kept == candidate().model_copy(update={"records": kept.records if kept else ()})
    assert kept
    assert kept.spec.digest == kept.digest == found.digest
    assert approvals.waiting(database) == (found,)
    assert discoveries.unfinished(database) == ()
    assert approvals.candidate_of(database, "other") is None


def test_an_approved_one_is_queued_and_its_run_is_to_be_told(database: Database) -> None:
    hold(database)
    found = approvals.judge(database, "d1", approved=True, reason="looks right")
    assert (found.state, found.verdict and found.verdict.reason) == ("queued", "looks right")
    assert [one.id for one in approvals.untold(database)] == ["d1"]
    told = approvals.told(database, "d1")
    assert (told.flow_run_id, approvals.untold(database)) == ("run-d1", ())


def test_where_the_run_is_gone_another_one_publishes_what_was_approved(database: Database) -> None:
    hold(database)
    approvals.judge(database, "d1", approved=True)
    assert approvals.told(database, "d1", again=True).flow_run_id is None
    assert [one.id for one in discoveries.unfinished(database)] == ["d1"]


def test_a_refused_one_ends_with_the_reason_and_needs_no_other_run(database: Database) -> None:
    hold(database)
    found = approvals.judge(database, "d1", approved=False, reason="too dear")
    assert found.error
    assert (found.state, found.error.code, found.ended_at is not None) == ("failed", "candidate-refused", True)
    assert "too dear" in found.error.message
    assert approvals.told(database, "d1", again=True).flow_run_id == "run-d1"


def test_the_first_verdict_counts(database: Database) -> None:
    hold(database)
    approvals.judge(database, "d1", approved=False, told=True)
    assert approvals.untold(database) == ()
    with pytest.raises(NotWaiting) as late:
        approvals.judge(database, "d1", approved=True)
    assert late.value.fields["state"] == "failed"
    with pytest.raises(DiscoveryNotFound):
        approvals.judge(database, "gone", approved=True)


def test_a_newer_one_of_the_same_provider_takes_its_place(database: Database) -> None:
    hold(database)
    hold(database, "other", "acme-two")
    hold(database, "d2")
    assert [one.id for one in approvals.waiting(database)] == ["other", "d2"]
    before = discoveries.get(database, "d1")
    assert before.error
    assert "a newer discovery, d2" in before.error.message
    approvals.supersede(database, "acme", "d3")
    assert [one.id for one in approvals.waiting(database)] == ["other"]


def test_a_run_is_found_by_its_flow_run(database: Database) -> None:
    hold(database)
    found = discoveries.of_flow_run(database, "run-d1")
    assert found
    assert found.id == "d1"
    assert discoveries.of_flow_run(database, "run-d2") is None
