"""Whether a source's new answer looks broken beside the last good one; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import AwareDatetime, Field

from modelscan.settings import DriftSettings
from modelscan.types import DriftEvent, DriftEvidence, DriftKind
from modelscan.types.base import Frozen

__all__ = ["SourceShape", "bad_refresh", "source_event"]

_FEW = 4
"""Of so few rows, each may change as it likes."""


class SourceShape(Frozen):
    """What a source's whole answer is like, in numbers."""

    providers: int
    models: int
    fields: dict[str, int] = Field(default_factory=dict)
    """A field of the models' rows -> how many have it."""

    @classmethod
    def of(cls, providers: Mapping[str, Iterable[Mapping[str, object]]]) -> Self:
        """Of the models' rows, by provider, as the source spells them."""
        fields: Counter[str] = Counter()
        models = 0
        for rows in providers.values():
            for row in rows:
                models += 1
                fields.update(str(name) for name in row)
        return cls(providers=len(providers), models=models, fields=dict(fields))

    def __str__(self) -> str:
        return f"{self.providers} providers, {self.models} models"


def bad_refresh(before: SourceShape | None, after: SourceShape, settings: DriftSettings) -> str | None:
    """Why the answer looks broken, as a sentence's predicate (`it is empty`); None where it does not.

    Empty, fewer than `most_lost` leaves of providers or models, or a field that is gone from more than
    `most_fields_lost` of the rows that had it. Without an answer before it only an empty one is bad.
    """
    if not after.models:
        return "it is empty"
    if before is None:
        return None
    for name in ("providers", "models"):
        old, new = getattr(before, name), getattr(after, name)
        if old >= _FEW and new < old * (1 - settings.most_lost):
            return f"it shrank from {old} to {new} {name}"
    return _lost_field(before, after, settings.most_fields_lost)


def _lost_field(before: SourceShape, after: SourceShape, most: float) -> str | None:
    """By the share of rows, so that a list which only became shorter has not lost its fields."""
    for name, had in sorted(before.fields.items()):
        left = after.fields.get(name, 0)
        if had >= _FEW and left / after.models < had / before.models * (1 - most):
            return (
                f"its schema changed: {left} of {after.models} models have {name!r}, where {had} of {before.models} had"
            )
    return None


def source_event(
    source: str,
    before: SourceShape | None,
    after: SourceShape,
    why: str,
    *,
    evidence: tuple[DriftEvidence, ...],
    found_at: AwareDatetime,
    run_id: str | None = None,
) -> DriftEvent:
    """The change that a bad refresh is: where it counts, by policy or approval, the answer is to be taken as it is."""
    return DriftEvent.of(
        DriftKind.SOURCE,
        source,
        "answer",
        str(before) if before else None,
        f"{after}: {why}",
        evidence=evidence,
        found_at=found_at,
        run_id=run_id,
    )
