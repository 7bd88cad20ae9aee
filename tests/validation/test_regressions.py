"""What a client shows otherwise than it used to."""

from typing import Any

import pytest

from modelscan.types import CaseResult, Level, ValidationReport
from modelscan.validation.regressions import agreed, case_changes, not_reached

Outcome = Any


def ran(outcome: Outcome, case: str = "chats", level: Level = Level.CONTRACT, status: int | None = None) -> CaseResult:
    return CaseResult(case=case, level=level, outcome=outcome, status=status)


def report(*results: CaseResult) -> ValidationReport:
    return ValidationReport(level=Level.CONTRACT, results=results)


@pytest.mark.parametrize(
    ("earlier", "now", "worse"),
    [
        ([], "failed", []),
        (["passed"], "passed", []),
        (["passed"], "failed", [True]),
        (["failed", "passed"], "failed", []),  # It was told the first time.
        (["failed", "passed"], "passed", [False]),
        (["failed"], "passed", []),  # It never got worse.
        (["skipped", "passed"], "failed", [True]),
        (["passed"], "skipped", []),
        (["skipped"], "failed", []),
    ],
)
def test_a_case_that_passed_and_fails_is_worse_and_back_again(earlier: list[str], now: str, worse: list[bool]) -> None:
    found = case_changes([report(ran(one)) for one in earlier], report(ran(now), ran("passed", "new")))
    assert [one.worse for one in found] == worse
    assert {one.field for one in found} <= {"contract.chats"}


def test_a_key_that_is_refused_is_no_behaviour() -> None:
    before, now = report(ran("passed", level=Level.LIVE)), report(ran("failed", level=Level.LIVE, status=401))
    assert case_changes([before], now) == ()
    assert case_changes([report(ran("passed"))], report(ran("failed", status=401))) != ()


def test_levels_are_cases_of_their_own() -> None:
    assert case_changes([report(ran("passed", level=Level.LIVE))], report(ran("failed"))) == ()


def test_two_runs_agree_on_what_failed_in_both() -> None:
    first = report(ran("failed", "a"), ran("failed", "b"), ran("passed", "c"), ran("passed", "d"))
    again = report(ran("failed", "a"), ran("passed", "b"), ran("failed", "c"), ran("passed", "d"))
    assert [(one.case, one.outcome) for one in agreed(first, again).results] == [
        ("a", "failed"),
        ("b", "passed"),
        ("d", "passed"),
    ]


@pytest.mark.parametrize(
    ("results", "unreached"),
    [
        ([ran("passed")], False),  # Nobody was to be asked.
        ([ran("passed"), ran("skipped", level=Level.PROBE)], True),
        ([ran("passed"), ran("skipped", level=Level.PROBE, status=503)], False),
        ([ran("skipped", level=Level.PROBE), ran("passed", "models", Level.PROBE)], False),
    ],
)
def test_a_host_is_not_reached_where_nobody_answers(results: list[CaseResult], unreached: bool) -> None:
    assert not_reached(report(*results)) is unreached
