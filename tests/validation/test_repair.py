"""The loop: what stops it, what it is told, and what it hands back."""

import asyncio
from collections.abc import Sequence

import pytest

from modelscan.errors import NotEnoughEvidence, ValidationFailed
from modelscan.types import Attempt, Auth, CaseResult, Change, ClientSpec, Level, Model, Quirks, ValidationReport
from modelscan.validation.repair import MAX_LOOPS, Repaired, changes, repair
from tests.validation.specs import a_spec

GREEN = ValidationReport(level=Level.CONTRACT, why_not_higher="Offline.")


def red(
    level: Level = Level.CONTRACT, case: str = "chat_without_key", at: Level = Level.PROBE, **more: int
) -> ValidationReport:
    failed = CaseResult(case=case, level=at, outcome="failed", detail="got 404", **more)
    passed = CaseResult(case="chats", level=Level.CONTRACT, outcome="passed")
    return ValidationReport(level=level, why_not_higher="It failed.", results=(passed, failed))


class Loop:
    """The loop's collaborators: proposes `urls` in turn, answers `reports` in turn, and remembers what it was asked."""

    def __init__(
        self, reports: Sequence[ValidationReport], urls: Sequence[str] = ("https://a", "https://b", "https://c")
    ) -> None:
        self.reports, self.urls = iter(reports), iter(urls)
        self.order: list[str] = []
        self.heard: list[Attempt] = []
        self.shown: list[int] = []

    def propose(self, attempts: Sequence[Attempt]) -> tuple[ClientSpec, str] | None:
        self.shown.append(len(attempts))
        url = next(self.urls, None)
        return None if url is None else (a_spec(base_url=url), f"at {url}")

    def build(self, spec: ClientSpec) -> tuple[str, str]:
        self.order.append("build")
        return f"client of {spec.base_url}", "test"

    async def validate(self, spec: ClientSpec, client: str, test: str) -> ValidationReport:
        assert (client, test) == (f"client of {spec.base_url}", "test")
        self.order.append("validate")
        return next(self.reports)

    def run(self) -> Repaired:
        return asyncio.run(repair(self.propose, self.build, self.validate, on_attempt=self.heard.append))


def test_a_green_report_ends_the_loop_at_once() -> None:
    loop = Loop([GREEN])
    spec, sources, report, attempts = loop.run()
    assert (spec.base_url, sources.client, report) == ("https://a", "client of https://a", GREEN)
    assert [attempt.proposal for attempt in attempts] == ["at https://a"]
    assert loop.order == ["build", "validate"]


def test_a_red_report_is_shown_to_the_next_proposal() -> None:
    loop = Loop([red(), GREEN])
    repaired = loop.run()
    assert loop.shown == [0, 1]
    assert repaired.spec.base_url == "https://b"
    assert [attempt.report.green for attempt in repaired.attempts] == [False, True]
    assert loop.heard == list(repaired.attempts)


def test_at_most_three_loops_are_tried_and_the_error_tells_them_all() -> None:
    loop = Loop([red()] * 9, urls=[f"https://{n}" for n in range(9)])
    with pytest.raises(ValidationFailed, match=r"each of 3 loops.*chat_without_key: got 404") as caught:
        loop.run()
    assert loop.shown == [0, 1, 2]
    assert len(loop.heard) == len(caught.value.fields["attempts"]) == MAX_LOOPS
    assert caught.value.fields["failed"][0]["case"] == "chat_without_key"


def test_the_loop_ends_where_nothing_new_is_proposed() -> None:
    loop = Loop([red()], urls=["https://a"])
    with pytest.raises(ValidationFailed, match="in one loop"):
        loop.run()


def test_a_proposal_that_was_tried_before_is_not_tried_again() -> None:
    loop = Loop([red(), red()], urls=["https://a", "https://a"])
    with pytest.raises(ValidationFailed):
        loop.run()
    assert len(loop.heard) == 1


ABLE = Model(id="anvil", capabilities=("reasoning", "structured_output", "tool_call"))


def claiming(reports: Sequence[ValidationReport]) -> Loop:
    """A loop that proposes one specification, which claims a lot of its model."""
    loop = Loop(reports, urls=[])
    loop.urls = iter(["https://a"])
    loop.propose = lambda attempts: (a_spec(models=(ABLE,)), "all of it") if not attempts else None  # type: ignore[method-assign]
    return loop


def failing(*cases: str, at: Level = Level.LIVE) -> ValidationReport:
    results = tuple(CaseResult(case=case, level=at, outcome="failed", detail="no") for case in cases)
    return ValidationReport(level=Level.PROBE, why_not_higher="It failed.", results=results)


def test_a_capability_that_does_not_hold_is_withdrawn_and_the_client_stays() -> None:
    loop = claiming([failing("calls_tools", "streams_tool_calls"), GREEN])
    repaired = loop.run()
    assert repaired.spec.models[0].capabilities == ("reasoning", "structured_output")
    second = repaired.attempts[1]
    assert second.proposal == "the same without tool_call, which did not hold"
    assert second.changes == (
        Change(
            field="models anvil capabilities",
            before="3: reasoning, structured_output, tool_call",
            after="2: reasoning, structured_output",
        ),
    )
    assert loop.shown == []


def test_two_claims_may_fall_one_after_the_other() -> None:
    loop = claiming([failing("answers_in_schema"), failing("takes_tool_results"), GREEN])
    assert loop.run().spec.models[0].capabilities == ("reasoning",)


@pytest.mark.parametrize("report", [failing("calls_tools", "chats"), failing("calls_tools", at=Level.CONTRACT)])
def test_a_failure_of_anything_else_withdraws_no_claim(report: ValidationReport) -> None:
    loop = claiming([report])
    with pytest.raises(ValidationFailed, match="in one loop"):
        loop.run()


def test_no_proposal_at_all_is_a_lack_of_evidence() -> None:
    with pytest.raises(NotEnoughEvidence):
        Loop([], urls=[]).run()


@pytest.mark.parametrize("status", [401, 403])
def test_a_client_whose_key_alone_was_refused_is_kept_at_probe(status: int) -> None:
    refused = red(Level.PROBE, "chats", Level.LIVE, status=status)
    repaired = Loop([refused], urls=["https://a"]).run()
    assert repaired.report.level is Level.PROBE
    assert repaired.report.green
    assert [result.outcome for result in repaired.report.results] == ["passed", "skipped"]
    assert repaired.attempts[0].report == refused


def test_a_refused_key_is_excused_only_after_other_proposals_were_tried() -> None:
    refused = red(Level.PROBE, "chats", Level.LIVE, status=401)
    repaired = Loop([refused, red()], urls=["https://a", "https://b"]).run()
    assert repaired.spec.base_url == "https://a"
    assert len(repaired.attempts) == 2


@pytest.mark.parametrize("report", [red(Level.PROBE, "chats", Level.LIVE), red(status=401)])
def test_no_other_failure_is_excused(report: ValidationReport) -> None:
    with pytest.raises(ValidationFailed):
        Loop([report], urls=["https://a"]).run()


def test_a_level_too_low_without_a_failed_case_is_told_by_its_reason() -> None:
    low = ValidationReport(level=Level.STATIC, why_not_higher="Odd.")
    with pytest.raises(ValidationFailed, match="Odd"):
        Loop([low], urls=["https://a"]).run()


def test_the_collaborators_may_be_async() -> None:
    loop = Loop([red(), GREEN])

    async def propose(attempts: Sequence[Attempt]) -> tuple[ClientSpec, str] | None:
        return loop.propose(attempts)

    async def build(spec: ClientSpec) -> tuple[str, str]:
        return loop.build(spec)

    async def on_attempt(attempt: Attempt) -> None:
        loop.heard.append(attempt)

    repaired = asyncio.run(repair(propose, build, loop.validate, on_attempt=on_attempt))
    assert repaired.report == GREEN
    assert len(loop.heard) == 2


def test_each_loop_tells_what_it_changed_against_the_one_before() -> None:
    loop = Loop([red(), red(), GREEN])
    told = [attempt.changes for attempt in loop.run().attempts]
    assert told == [
        (),
        (Change(field="base_url", before="https://a", after="https://b"),),
        (Change(field="base_url", before="https://b", after="https://c"),),
    ]


def test_a_change_is_told_shortly_field_by_field() -> None:
    before = a_spec(evidence=dict.fromkeys(ClientSpec.CITED_FIELDS, "other"))
    after = a_spec(
        auth=Auth(kind="none"),
        models=tuple(Model(id=f"model-{number:03}") for number in range(100)),
        headers={"X-Tenant": "blue"},
        quirks=Quirks(max_tokens_field="max_completion_tokens"),
    )
    told = {change.field: change for change in changes(before, after)}
    assert set(told) == {"auth", "models", "headers", "quirks"}
    assert told["models"].before == "2: anvil, rocket/skates:v2"
    assert told["models"].after.startswith("100: model-000, model-001")
    assert len(told["models"].after) == 200
    assert (told["headers"].before, told["headers"].after) == ("none", '{"X-Tenant":"blue"}')
    assert told["quirks"].after == '{"max_tokens_field":"max_completion_tokens"}'
