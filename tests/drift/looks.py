"""Small looks at a provider, for the tests of what changed between them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from modelscan.types import DriftEvent, DriftEvidence, DriftKind, DriftState, ModelState, Observed, ProviderState

__all__ = ["AT", "change", "evidence", "look", "model"]

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)


def evidence(record: str = "r1", source: str = "models.dev") -> DriftEvidence:
    return DriftEvidence(record=record, source=source, url="https://models.dev/api.json", fetched_at=AT)


def model(record: str = "r1", *, context: str | None = "8000", **prices: str) -> ModelState:
    limits = {"context_tokens": Observed(value=context, record=record)} if context else {}
    rates = {f"{name}_mtok": Observed(value=value, record=record) for name, value in prices.items()}
    return ModelState(record=record, prices=rates, limits=limits)


def look(
    record: str = "r1",
    models: Mapping[str, ModelState] | None = None,
    *,
    provider: str = "acme",
    base_url: str | None = "https://api.acme.test/v1",
    protocol: str | None = "openai_chat",
    auth: str | None = "key in Authorization Bearer",
) -> ProviderState:
    told = {"base_url": base_url, "protocol": protocol, "auth": auth}
    return ProviderState(
        provider=provider,
        record=record,
        models=dict(models or {"small": model(record, input="0.1", output="0.2")}),
        evidence={record: evidence(record)},
        **{name: Observed(value=value, record=record) for name, value in told.items() if value},
    )


def change(
    before: str | None = "0.1",
    after: str | None = "0.2",
    *,
    kind: DriftKind = DriftKind.PRICE,
    field: str = "price.input_mtok",
    provider: str = "acme",
    model: str | None = "small",
    record: str = "r2",
    state: DriftState = DriftState.HELD,
    source: str = "models.dev",
) -> DriftEvent:
    found = DriftEvent.of(
        kind, provider, field, before, after, model=model, evidence=(evidence(record, source),), found_at=AT
    )
    return found.model_copy(update={"state": state})
