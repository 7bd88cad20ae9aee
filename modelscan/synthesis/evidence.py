"""All that is known of one identifier, read into what each record claims."""

from collections.abc import Iterable
from functools import cached_property

from pydantic import ValidationError

from modelscan.sources.genai_prices import prices_of
from modelscan.sources.models_dev import ListedModel, ListedProvider, models_of, read_provider
from modelscan.sources.provider_itself import Observation, observations_of
from modelscan.types import Fact, Frozen, Identifier, Model, Price, SourceGap, SourceRecord

__all__ = ["Evidence", "facts_of"]


class Evidence(Frozen):
    """The records and the gaps of one run."""

    identifier: Identifier
    records: tuple[SourceRecord, ...]
    gaps: tuple[SourceGap, ...] = ()
    allowed_private: tuple[str, ...] = ()
    """Private hosts, or `host:port`s, that a source may name: `discovery.allowed_private_hosts`."""

    def record(self, source: str) -> SourceRecord | None:
        """The record of one source."""
        return next((record for record in self.records if record.source == source), None)

    def claim(self, source: str, field: str) -> str | None:
        """A text that one source's record holds at its top level."""
        record = self.record(source)
        value = record.payload.get(field) if record and isinstance(record.payload, dict) else None
        return value if isinstance(value, str) and value else None

    @cached_property
    def listed(self) -> tuple[ListedProvider, tuple[ListedModel, ...], int] | None:
        """What models.dev lists, read; None where it does not or cannot be read."""
        record = self.record("models.dev")
        try:
            return read_provider(record.payload) if record else None
        except ValidationError:
            return None

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """How the provider itself answered."""
        record = self.record("provider")
        return observations_of(record) if record else ()


def facts_of(evidence: Evidence) -> tuple[Fact, ...]:
    """One fact for each value that a record claims of the provider or of a model."""
    return (*_provider_facts(evidence), *_model_facts(evidence), *_other_prices(evidence))


def _provider_facts(evidence: Evidence) -> Iterable[Fact]:
    subject = evidence.identifier.provider
    for source, names in (
        ("operator", ("base_url",)),
        ("builtin", ("base_url", "protocol")),
        ("models.dev", ("name", "npm", "api", "doc")),
    ):
        for name in names:
            if (value := evidence.claim(source, name)) and (record := evidence.record(source)):
                field = {"api": "base_url", "npm": "package"}.get(name, name)
                yield _fact(subject, field, value, record)
    record = evidence.record("provider")
    for seen in evidence.observations:
        if record and seen.shape == "models":
            yield _fact(subject, "models", list(seen.models), record)
            return


def _model_facts(evidence: Evidence) -> Iterable[Fact]:
    record = evidence.record("models.dev")
    if evidence.listed is None or record is None:
        return
    for model in models_of(evidence.listed[1]):
        subject = f"{evidence.identifier.provider}/{model.id}"
        for field, value in _values(model):
            yield _fact(subject, field, value, record)


def _other_prices(evidence: Evidence) -> Iterable[Fact]:
    if record := evidence.record("genai-prices"):
        for model, price in prices_of(record).items():
            for field, value in _prices(price):
                yield _fact(f"{evidence.identifier.provider}/{model}", field, value, record)


def _prices(price: Price) -> Iterable[tuple[str, object]]:
    return ((f"price.{name}", value) for name, value in price.model_dump(mode="json", exclude_none=True).items())


def _values(model: Model) -> Iterable[tuple[str, object]]:
    flat = model.model_dump(mode="json", exclude={"id", "price"})
    flat |= dict(_prices(model.price)) if model.price else {}
    return ((field, value) for field, value in flat.items() if value not in (None, [], ()))


def _fact(subject: str, field: str, value: object, record: SourceRecord) -> Fact:
    """A snapshot counts for less than an answer of today."""
    confidence = 0.6 if record.stale else 0.9
    return Fact.model_validate(
        {"subject": subject, "field": field, "value": value, "record": record.id, "confidence": confidence}
    )
