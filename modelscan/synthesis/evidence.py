"""All that is known of one identifier, read into what each record claims."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from pydantic import ValidationError

from modelscan.sources import SOURCES
from modelscan.sources.gpustack import weights_of
from modelscan.sources.models_dev import ListedModel, ListedProvider, read_provider
from modelscan.sources.provider_itself import Observation, observations_of
from modelscan.sources.source import Said, Source
from modelscan.types import Decision, Fact, Frozen, Identifier, SourceGap, SourceRecord, is_model_id

__all__ = ["Evidence", "facts_of"]

_THEIR_NAMES = {"api": "base_url", "npm": "package"}
"""What models.dev calls a field -> what the dossier calls it."""
_STALE = 2 / 3
"""Of the confidence, for a snapshot that stands in for its source."""


class Evidence(Frozen):
    """The records and the gaps of one run."""

    identifier: Identifier
    records: tuple[SourceRecord, ...]
    gaps: tuple[SourceGap, ...] = ()
    allowed_private: tuple[str, ...] = ()
    """Private hosts, or `host:port`s, that a source may name: `discovery.allowed_private_hosts`."""
    decisions: tuple[Decision, ...] = ()
    """The operator's, on this provider and its models."""

    def record(self, source: str) -> SourceRecord | None:
        """The record of one source."""
        return next((record for record in self.records if record.source == source), None)

    def claim(self, source: str, field: str) -> str | None:
        """A text that one source's record holds at its top level, unless the operator rejected it."""
        if self.rejects(source, _THEIR_NAMES.get(field, field)):
            return None
        record = self.record(source)
        value = record.payload.get(field) if record and isinstance(record.payload, dict) else None
        return value if isinstance(value, str) and value else None

    def rejects(self, source: str, field: str) -> bool:
        """Whether the operator does not want what `source` says of that field of the provider to be used."""
        return any(
            one.kind == "reject" and (one.subject, one.field, one.source) == (self.identifier.provider, field, source)
            for one in self.decisions
        )

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
    models = _models_of(evidence)
    deployed = _subjects_by_weights(evidence, models)
    facts: list[Fact] = []
    for source, record in _told(evidence):
        if source.of_weights:
            said = [
                replace(one, subject=subject)
                for one in source.claims(record, deployed.keys())
                for subject in sorted(deployed.get(one.subject.partition("/")[2], {one.subject}))
            ]
        else:
            said = [*source.claims(record, models)]
        facts += [_fact(one, source, record) for one in said]
    return tuple(facts)


def _told(evidence: Evidence) -> Iterable[tuple[Source, SourceRecord]]:
    rows = {source.name: source for source in SOURCES}
    return ((rows[record.source], record) for record in evidence.records if record.source in rows)


def _models_of(evidence: Evidence) -> frozenset[str]:
    """The provider's models by name: the one that is asked for, and those that it or models.dev lists."""
    listed = {model.id for model in evidence.listed[1]} if evidence.listed else set()
    served = {model for seen in evidence.observations for model in seen.models}
    asked = {evidence.identifier.model} if evidence.identifier.model else set()
    return frozenset(model for model in listed | served | asked if is_model_id(model))


def _subjects_by_weights(evidence: Evidence, models: Iterable[str]) -> dict[str, set[str]]:
    """Whose weights -> the models that run them: each model's own name, and what a GPUStack server tells of it."""
    provider, stack = evidence.identifier.provider, evidence.record("gpustack")
    subjects = {model: {f"{provider}/{model}"} for model in models}
    for name, weights in (weights_of(stack) if stack else {}).items():
        subjects.setdefault(weights, set()).add(f"{provider}/{name}")
    return subjects


def _fact(said: Said, source: Source, record: SourceRecord) -> Fact:
    """A snapshot counts for less than an answer of today."""
    confidence = source.confidence if said.confidence is None else said.confidence
    return Fact(
        subject=said.subject,
        field=said.field,
        value=said.value,
        record=record.id,
        confidence=round(confidence * (_STALE if record.stale else 1), 3),
    )
