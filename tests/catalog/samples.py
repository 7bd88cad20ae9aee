"""Small values of the vocabulary for the catalogue's tests."""

from decimal import Decimal

from modelscan.types import Auth, ClientSpec, Level, Model, Price, SourceRecord, ValidationReport
from modelscan.wire import protocol_named

__all__ = ["record", "report", "spec"]


def record(payload: object = None, **more: object) -> SourceRecord:
    fields = {"source": "models.dev", "subject": "acme", "url": "https://models.dev/api.json", "trusted": True}
    return SourceRecord.of(**{**fields, "payload": payload or {"name": "Acme"}, **more})  # type: ignore[arg-type]


def spec(*models: Model, provider: str = "acme") -> ClientSpec:
    known = models or (Model(id="small", family="s", price=Price(input_mtok=Decimal("0.0028"))), Model(id="tiny"))
    return ClientSpec(
        provider=provider,
        name=provider.title(),
        protocol="openai_chat",
        base_url="https://api.acme.test/v1",
        auth=Auth(env=("ACME_API_KEY",)),
        endpoints=protocol_named("openai_chat").endpoints,
        models=known,
        test_model=known[0].id,
        evidence={},
    )


def report(level: Level = Level.CONTRACT, why: str = "no key") -> ValidationReport:
    return ValidationReport(level=level, why_not_higher=why)
