"""What a client shows otherwise than it used to: cases that passed and fail, and such that pass again. Pure."""

from collections.abc import Iterable, Sequence

from modelscan.types import CaseChange, CaseResult, Level, ValidationReport
from modelscan.types.validation import KEY_REFUSED

__all__ = ["agreed", "case_changes", "not_reached"]


def case_changes(earlier: Sequence[ValidationReport], now: ValidationReport) -> tuple[CaseChange, ...]:
    """The cases of `now` that come out otherwise than the last time they were run; `earlier` has the newest first.

    A case that was never seen to pass has no way to get worse, nor to recover. One that was not run says nothing, and
    neither does a key that was refused: that is about the key.
    """
    changes = []
    for result in now.results:
        before = [one for one in _runs_of(result, earlier) if _tells(one)]
        if before and _tells(result) and before[0].outcome != result.outcome and _passed_once(before):
            changes.append(CaseChange(before=before[0], after=result))
    return tuple(changes)


def agreed(first: ValidationReport, again: ValidationReport) -> ValidationReport:
    """What two runs in a row agree on: the second one, without cases that failed in it and not in the first."""
    failed = {(one.level, one.case) for one in first.failed}
    kept = (one for one in again.results if one.outcome != "failed" or (one.level, one.case) in failed)
    return again.model_copy(update={"results": tuple(kept)})


def not_reached(report: ValidationReport) -> bool:
    """Whether the real host was to be asked, and nobody answered at all."""
    asked = [one for one in report.results if one.level in (Level.PROBE, Level.LIVE)]
    return bool(asked) and all(one.outcome == "skipped" and one.status is None for one in asked)


def _runs_of(result: CaseResult, reports: Iterable[ValidationReport]) -> Iterable[CaseResult]:
    return (one for report in reports for one in report.results if (one.level, one.case) == (result.level, result.case))


def _tells(result: CaseResult) -> bool:
    refused = result.level is Level.LIVE and result.status in KEY_REFUSED
    return result.outcome != "skipped" and not refused


def _passed_once(results: Iterable[CaseResult]) -> bool:
    return any(one.outcome == "passed" for one in results)
