"""The dossier of a run, as a Markdown artifact in the Prefect UI."""

import re
from collections.abc import Iterable, Sequence

from prefect.artifacts import acreate_markdown_artifact

from modelscan.codegen.render import module_name
from modelscan.redaction import redact
from modelscan.synthesis.dossier import conflicts
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.settled import claims_of
from modelscan.types import AgentCall, Attempt, ClientSpec, Discovery
from modelscan.validation.repair import Repaired
from modelscan.visible import visible

__all__ = ["markdown", "report", "table"]

_MOST_CONFLICTS = 50
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.:/?=&%~-]{1,300}")
"""An address that ends neither a cell nor a link."""


class Link(str):
    """An address, which a person may follow where it is spelt plainly."""


async def report(discovery: Discovery, proved: Repaired, evidence: Evidence) -> None:
    """Create the artifact `discovery-<provider>`."""
    provider = evidence.identifier.provider
    await acreate_markdown_artifact(
        markdown=redact(markdown(discovery, proved, evidence)),
        key=f"discovery-{module_name(provider).replace('_', '-')}",
        description=f"How to talk to {provider}, who says so, and what was proved.",
    )


def markdown(discovery: Discovery, proved: Repaired, evidence: Evidence) -> str:
    """The dossier: each field with its source, the gaps, the loops, and the validation table."""
    spec = proved.spec
    parts = [
        f"# {_cell(spec.name)}",
        f"Level **{proved.report.level}**. {_cell(proved.report.why_not_higher)}".rstrip(),
        f"Version {discovery.version}; router generation {discovery.generation or 'none running'}.",
        "## What is known, and who says so",
        table(("field", "value", "source", "url", "when"), _fields(spec, evidence)),
        "## Conflicts",
        _conflicts(evidence),
        "## Gaps",
        table(("source", "kind", "reason"), ((gap.source, gap.kind, gap.reason) for gap in evidence.gaps)) or "None.",
        "## Loops",
        table(
            ("loop", "proposal", "changed", "level", "failed"),
            ((one.number, one.proposal, _changed(one), one.report.level, _failed(one)) for one in proved.attempts),
        ),
        "## Language model",
        f"The specification came about {_cell(discovery.synthesis or 'by rules')}.",
        table(("call", "model", "prompt", "outcome", "tokens", "cost", "s", "detail"), map(_asked, discovery.calls)),
        "## Validation",
        table(
            ("level", "case", "outcome", "s", "detail"),
            (
                (result.level, result.case, result.outcome, f"{result.seconds:.2f}", result.detail)
                for result in proved.report.results
            ),
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _fields(spec: ClientSpec, evidence: Evidence) -> Iterable[Sequence[object]]:
    records = {record.id: record for record in evidence.records}
    values = {
        "name": spec.name,
        "protocol": f"{spec.protocol}: {spec.rest.name}" if spec.rest else spec.protocol,
        "base_url": spec.base_url,
        "auth": f"{spec.auth.header} {spec.auth.scheme}".strip() if spec.auth.kind == "header" else "no key",
        "endpoints": ", ".join(f"{one.method} {one.path}" for one in spec.endpoints),
        "models": f"{len(spec.models)}: {', '.join(model.id for model in spec.models[:5])}",
    }
    for field, value in values.items():
        record = records[spec.evidence[field]]
        when = f"{record.fetched_at:%Y-%m-%d %H:%M}" + (" (stale snapshot)" if record.stale else "")
        yield field, value, record.source, Link(record.url), when


def _changed(attempt: Attempt) -> str:
    return "; ".join(f"{change.field}: {change.before} → {change.after}" for change in attempt.changes)


def _failed(attempt: Attempt) -> str:
    return ", ".join(result.case for result in attempt.report.failed)


def _asked(call: AgentCall) -> Sequence[object]:
    tokens = [str(count) if count is not None else "unknown" for count in (call.prompt_tokens, call.completion_tokens)]
    cost = "unknown" if call.cost_usd is None else f"${call.cost_usd:.4f}"
    whole = " + ".join(tokens)
    return call.number, call.model, call.prompt_version, call.outcome, whole, cost, f"{call.seconds:.1f}", call.detail


def _conflicts(evidence: Evidence) -> str:
    """What the sources of this run disagree on, and what counts of it here."""
    found = conflicts(claims_of(evidence), evidence.decisions, settled=True)
    rows = [
        (
            one.subject,
            one.field,
            one.chosen.value if one.chosen else "unknown",
            one.chosen.source if one.chosen else "",
            "; ".join(f"{claim.source}: {claim.value}" for claim in one.differ),
            one.settled or ("rejected" if one.rejected else "open"),
        )
        for one in found
    ]
    more = f"\n\n{len(rows) - _MOST_CONFLICTS} more: `modelscan conflicts`." if len(rows) > _MOST_CONFLICTS else ""
    head = ("subject", "field", "value", "source", "others say", "state")
    return (table(head, rows[:_MOST_CONFLICTS]) or "None.") + more


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; nothing where there is no row."""
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def _cell(value: object) -> str:
    """One line of a table; what was scraped can neither end the cell nor bring markup of its own."""
    if isinstance(value, Link) and _PLAIN_URL.fullmatch(value):
        return f"[{value}]({value})"
    text = visible(str(value), 300)
    for mark in "\\`*_[]<>|#!":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return text
