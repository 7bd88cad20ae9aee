"""Records, observations and attempts as the synthesis tests tell them."""

import json
from typing import Any

from modelscan.sources.builtin import ROWS
from modelscan.sources.models_dev import record_of
from modelscan.sources.provider_itself import Observation
from modelscan.synthesis.evidence import Evidence
from modelscan.types import (
    Attempt,
    CaseResult,
    ClientSpec,
    Identifier,
    Level,
    SourceGap,
    SourceRecord,
    ValidationReport,
)
from tests.sources.asking import fixture

__all__ = ["ACME", "BOX", "attempt", "builtin", "evidence", "listed", "operator", "provider", "saw"]

ACME = "https://api.acme.example/v1"
BOX = "http://127.0.0.1:9001/v1"


def evidence(identifier: str, *told: SourceRecord | SourceGap, **more: Any) -> Evidence:
    """What one run has."""
    return Evidence(
        identifier=Identifier.parse(identifier),
        records=tuple(one for one in told if isinstance(one, SourceRecord)),
        gaps=tuple(one for one in told if isinstance(one, SourceGap)),
        **more,
    )


def listed(provider_id: str = "acme", name: str = "usual", **changes: Any) -> SourceRecord:
    """The record of models.dev for a provider of a fixture, with fields changed."""
    rows = json.loads(fixture(f"models_dev/{name}.json"))
    rows[provider_id] |= changes
    record = record_of(rows, provider_id, url="https://models.dev/api.json", body=b"", fetched_at=None, note="")
    assert isinstance(record, SourceRecord)
    return record


def builtin(provider_id: str) -> SourceRecord:
    """Our own row of a provider."""
    row = ROWS[provider_id]
    payload: Any = {"base_url": row.base_url, "protocol": row.protocol, **({"auth": "bearer"} if row.bearer else {})}
    return SourceRecord.of(source="builtin", subject=provider_id, url=row.doc, payload=payload, trusted=True)


def operator(base_url: str = BOX) -> SourceRecord:
    """A `--base-url`."""
    payload: Any = {"base_url": base_url}
    return SourceRecord.of(source="operator", subject="local", url=base_url, payload=payload, trusted=True)


def saw(method: str, status: int, *models: str, base_url: str = BOX, **more: Any) -> Observation:
    """One answer of the provider itself."""
    fields: dict[str, Any] = {
        "base_url": base_url,
        "method": method,
        "path": "/models" if method == "GET" else "/chat/completions",
        "status": status,
        "shape": "models" if models else "error",
        "models": models,
    }
    return Observation.model_validate(fields | more)


def provider(*observations: Observation, url: str = BOX) -> SourceRecord:
    """The record of the provider itself."""
    payload: Any = {"observations": [one.model_dump(mode="json") for one in observations]}
    return SourceRecord.of(source="provider", subject="local", url=url, payload=payload, trusted=False)


def attempt(spec: ClientSpec, *statuses: int | None, number: int = 1) -> Attempt:
    """A red loop whose failed cases rest on these statuses."""
    failed = [CaseResult(case="chats", level=Level.PROBE, outcome="failed", status=status) for status in statuses]
    report = ValidationReport(level=Level.CONTRACT, why_not_higher="red", results=tuple(failed))
    return Attempt(number=number, proposal="", spec_digest=spec.digest, report=report)
