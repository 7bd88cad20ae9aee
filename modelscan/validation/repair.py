"""The bounded loop over meaning: propose, build, validate, and let what failed shape the next proposal."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from pydantic import JsonValue

from modelscan.errors import NotEnoughEvidence, ValidationFailed
from modelscan.types import Attempt, Change, ClientSpec, Level, ValidationReport, canonical_json
from modelscan.wire.cases import claims_refuted

__all__ = ["MAX_LOOPS", "Repaired", "Sources", "changes", "repair"]

MAX_LOOPS = 3
_CHANGE_CHARS = 200

T = TypeVar("T")


class Sources(NamedTuple):
    """The generated client and its test, as text."""

    client: str
    test: str


class Repaired(NamedTuple):
    """What the loop ended with: the accepted loop's parts, and every loop that was tried."""

    spec: ClientSpec
    sources: Sources
    report: ValidationReport
    attempts: tuple[Attempt, ...]


Propose = Callable[[Sequence[Attempt]], tuple[ClientSpec, str] | Awaitable[tuple[ClientSpec, str] | None] | None]
Build = Callable[[ClientSpec], tuple[str, str] | Awaitable[tuple[str, str]]]
Validate = Callable[[ClientSpec, str, str], Awaitable[ValidationReport]]
OnAttempt = Callable[[Attempt], Awaitable[None] | None]


async def repair(propose: Propose, build: Build, validate: Validate, *, on_attempt: OnAttempt) -> Repaired:
    """Loop until a report is green, nothing new can be proposed, or MAX_LOOPS are used up.

    propose: the attempts so far -> a specification and the hypothesis in words, or None when it has nothing new.
    build: the specification -> client and test source. validate: those three -> a report. on_attempt hears of each
    loop as it ends. All but `validate` may be plain or async functions.

    A capability that the real provider did not show is withdrawn, and nothing else changes: the next loop proves the
    client without it. A client that only failed because its key was refused, and for which nothing else can be tried,
    is accepted at the level below: its key is wrong, not its code. Otherwise raises ValidationFailed with `failed` and
    `attempts`, or NotEnoughEvidence when there was no proposal at all.
    """
    tried: list[Repaired] = []
    attempts: list[Attempt] = []
    humbler: tuple[ClientSpec, str] | None = None
    while len(attempts) < MAX_LOOPS and (proposal := humbler or await _settled(propose(tuple(attempts)))) is not None:
        spec, words = proposal
        if any(attempt.spec_digest == spec.digest for attempt in attempts):
            break
        sources = Sources(*await _settled(build(spec)))
        report = await validate(spec, *sources)
        attempts.append(
            Attempt(
                number=len(attempts) + 1,
                proposal=words,
                spec_digest=spec.digest,
                changes=changes(tried[-1].spec, spec) if tried else (),
                report=report,
            )
        )
        await _settled(on_attempt(attempts[-1]))
        tried.append(Repaired(spec, sources, report, tuple(attempts)))
        if report.green:
            return tried[-1]
        humbler = _without_what_did_not_hold(spec, report)
    return _accepted(tried, tuple(attempts))


def _without_what_did_not_hold(spec: ClientSpec, report: ValidationReport) -> tuple[ClientSpec, str] | None:
    """The specification that claims less, where only claimed capabilities failed, and only at the real provider."""
    if any(result.level is not Level.LIVE for result in report.failed):
        return None
    refuted = claims_refuted(tuple(result.case for result in report.failed))
    words = f"the same without {', '.join(sorted(refuted))}, which did not hold"
    return (spec.without(refuted), words) if refuted else None


def changes(before: ClientSpec, after: ClientSpec) -> tuple[Change, ...]:
    """The fields that differ, each in a short text; which records say so does not count."""
    old, new = before.stated(), after.stated()
    return tuple(
        change
        for field in {**old, **new}
        if field != "evidence"
        for change in _differences(field, old.get(field), new.get(field))
    )


def _differences(field: str, before: JsonValue, after: JsonValue) -> Iterator[Change]:
    """What changed of a field: of a list whose ids are the same, the members that did."""
    if before == after:
        return
    pairs = _pairs(before, after)
    for id_, old, new in pairs:
        yield from (
            change
            for name in {**old, **new}
            for change in _differences(f"{field} {id_} {name}", old.get(name), new.get(name))
        )
    if not pairs:
        yield Change(field=field, before=_short(before), after=_short(after))


def _pairs(before: JsonValue, after: JsonValue) -> list[tuple[str, dict[str, JsonValue], dict[str, JsonValue]]]:
    """(id, before, after) of the rows of two lists with the same ids; nothing where they differ in those."""
    lists = [
        {str(row["id"]): row for row in rows if isinstance(row, dict) and "id" in row}
        for rows in (before, after)
        if isinstance(rows, list)
    ]
    if len(lists) < 2 or not lists[0] or lists[0].keys() != lists[1].keys():
        return []
    return [(id_, row, lists[1][id_]) for id_, row in lists[0].items()]


def _short(value: JsonValue) -> str:
    """A list by its length and its ids, or its words."""
    if value in (None, {}, [], ""):
        return "none"
    if isinstance(value, list):
        words = [str(one.get("id", one.get("path", ""))) if isinstance(one, dict) else str(one) for one in value]
        return f"{len(value)}: {', '.join(words)}"[:_CHANGE_CHARS]
    return (value if isinstance(value, str) else canonical_json(value))[:_CHANGE_CHARS]


async def _settled(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value


def _accepted(tried: Sequence[Repaired], attempts: tuple[Attempt, ...]) -> Repaired:
    for candidate in tried:
        if candidate.report.only_key_refused:
            return candidate._replace(report=_excused(candidate.report), attempts=attempts)
    raise _failure(tried)


def _excused(report: ValidationReport) -> ValidationReport:
    """The report with the refused key's cases as skipped: they showed nothing of the client."""
    results = tuple(
        result.model_copy(update={"outcome": "skipped"}) if result.outcome == "failed" else result
        for result in report.results
    )
    return report.model_copy(update={"results": results})


def _failure(tried: Sequence[Repaired]) -> ValidationFailed | NotEnoughEvidence:
    if not tried:
        return NotEnoughEvidence("There was nothing to propose: the sources do not say how to talk to it.")
    spec, _, report, attempts = tried[-1]
    loops = "in one loop" if len(attempts) == 1 else f"in each of {len(attempts)} loops"
    names = ", ".join(dict.fromkeys(result.case for result in report.failed)) or report.why_not_higher
    first = next((f" First, {result.case}: {result.detail}" for result in report.failed), "")
    return ValidationFailed(
        f"No client for {spec.provider} at {spec.base_url} passed {loops}; failed at last: {names}.{first}",
        hint="Check the base URL and the key, then add it again; the discovery lists every loop with its cases.",
        provider=spec.provider,
        failed=[result.model_dump(mode="json") for result in report.failed],
        attempts=[attempt.model_dump(mode="json") for attempt in attempts],
    )
